"""One process of `benchmarks.processes`: measures workloads, writes a line of JSON for each."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace

from benchmarks.harness import Measured, Workload, measure
from benchmarks.pool import Pool
from benchmarks.workloads import build


def without_slow(workload: Workload) -> Workload:
    """A workload without the peers that start slowly."""
    variants = {n: v for n, v in workload.variants.items() if not v.starts_slowly}
    return replace(workload, variants=variants)


def write_line(name: str, workload: Workload, found: Measured) -> None:
    line = {
        "workload": name,
        "title": workload.name,
        "samples": found.samples,
        "failures": found.failures,
        "targets": [asdict(target) for target in workload.targets],
    }
    print(json.dumps(line), flush=True)


def main(arguments: Sequence[str]) -> None:
    seed, share, slow, *names = arguments
    pool = Pool(int(seed))
    for name in names:
        workload = build(name)
        if not int(slow):
            workload = without_slow(workload)
        write_line(name, workload, measure(workload, pool, workload.seconds * float(share)))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
