"""The processor that code is compiled for.

LLVM knows it, but loading LLVM takes longer than anything else a warm process does. So what LLVM
said is kept in the folder of objects, under what the system says of the processor and under the
very library that was asked.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import platform
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
from llvmlite.utils import get_library_name

from .cache import open_cache


class _Lazy:
    """LLVM itself, loaded when it is first needed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("llvmlite.binding"), name)


binding: Any = _Lazy()

_CPU_INFO = Path("/proc/cpuinfo")
_FIRST_PROCESSOR_BYTES = 8192
_TELLING = (
    *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
    *("CPU implementer", "CPU variant", "CPU part", "CPU revision", "Features"),
)
"""The lines of cpuinfo that stay the same while the machine runs, on x86 and on ARM."""


@dataclass(frozen=True)
class HostTarget:
    """A processor, and the compiler that was asked about it."""

    triple: str
    cpu: str
    features: str
    compiler: str

    def has(self, feature: str) -> bool:
        """Whether the processor has a feature (`avx512f`)."""
        return f"+{feature}" in self.features.split(",")

    @property
    def vector_bytes(self) -> int:
        """The width of its vectors."""
        if self.has("avx512f"):
            return 64
        return 32 if self.has("avx2") else 16


@cache
def host() -> HostTarget:
    """This machine, with everything it can do."""
    identity = _identity()
    store = open_cache() if identity is not None else None
    if store is None or identity is None:
        return _asked()
    kept = store.load(identity)
    if kept is not None:
        return HostTarget(**json.loads(kept))
    made = _asked()
    store.store(identity, json.dumps(asdict(made)).encode())
    return made


@cache
def initialize_host() -> None:
    """Let LLVM compile for this machine."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


def _asked() -> HostTarget:
    """What LLVM says."""
    initialize_host()
    return HostTarget(
        binding.get_process_triple(),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
        ".".join(map(str, binding.llvm_version_info)),
    )


def _identity() -> bytes | None:
    """A key for what LLVM would say here, or None where that cannot be told without it."""
    library = Path(llvmlite.__file__).parent / "binding" / get_library_name()
    try:
        file = library.stat()
        with _CPU_INFO.open() as text:
            lines = text.read(_FIRST_PROCESSOR_BYTES).split("\n\n")[0].splitlines()
    except (OSError, ValueError):
        return None
    names = {line: line.partition(":")[0].strip() for line in lines}
    told = [line for line, name in names.items() if name in _TELLING]
    if not {"flags", "Features"} & set(names.values()):
        return None
    parts = ("host", platform.machine(), str(library), file.st_size, file.st_mtime_ns, *told)
    return hashlib.sha256(repr(parts).encode()).digest()
