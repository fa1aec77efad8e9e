"""Processes that measure one thing and tell it as a line of JSON."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.processes import CACHE_FOLDER

Answer = dict[str, Any]
NO_VARIABLES: Mapping[str, str] = {}


def ask(
    module: str, *arguments: str, cache: Path, variables: Mapping[str, str] = NO_VARIABLES
) -> Answer:
    """What `python -m module` answers. Python's bytecode is kept, as that of installed packages is.

    Args:
        cache: a folder for compiled objects of jitlang and torch.
        variables: of the environment.

    Raises:
        RuntimeError: the process failed; the message has its last words.
    """
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(Path(sys.prefix, CACHE_FOLDER, "bytecode")),
        "JITLANG_CACHE_DIR": str(cache / "jitlang"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "torch"),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError(f"{module} {' '.join(arguments)}: {done.stderr.strip()[-300:]}")
    answer: Answer = json.loads(lines[-1])
    return answer


def answer(**values: Any) -> None:
    """Print what `ask` returns."""
    print(json.dumps(values), flush=True)


def peak_megabytes() -> float:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compiled_objects(cache: Path) -> int:
    """How many modules jitlang compiled with this cache."""
    return sum(path.is_file() for path in (cache / "jitlang").rglob("*"))
