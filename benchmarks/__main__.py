"""`python -m benchmarks`: every benchmark, one after the other."""

from __future__ import annotations

import sys

from benchmarks import import_time, interpreter


def main() -> None:
    if len(sys.argv) > 1:
        sys.exit("options belong to single benchmarks: python -m benchmarks.interpreter --help")
    import_time.main([])
    interpreter.main()


if __name__ == "__main__":
    main()
