"""LLVM modules become callable code: target, optimisation, object code, linking, caches.

`compile_module(text, exports, imports)` gives a `Library` with the addresses of the exported
functions. A library is found by content in this process, then in the folder of objects
(`cache.py`), and only then compiled. Generated code holds no absolute address: whatever it needs of
the host is an imported symbol, bound while linking. Before an object is linked its undefined
symbols must be the imports or stand in `LIBRARY_CALLS`, so that code which silently calls a
function of the C library for something that ought to be an instruction is an error, not a slow
kernel.

Arithmetic is strict: no fast-math flags are ever written, and nothing is contracted, which is
LLVM's default for text without flags.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

from ..background import checkpoint, compiling
from .cache import ObjectCache, open_cache


class _Lazy:
    """LLVM itself, imported when something is first compiled: `import jitlang` must stay quick."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("llvmlite.binding"), name)


binding: Any = _Lazy()

FORMAT = b"1"
"""Changes whenever what `compile_module` does to the same text changes."""

LIBRARY_CALLS = frozenset(("fma", "fmaf", "fmod", "fmodf", "memcpy", "memmove", "memset"))
"""Functions of the C library that code may call: exact, or moves of memory that LLVM recognises."""


MAX_LIBRARIES = 1024
"""Libraries that this process remembers by content."""


class UnresolvedSymbols(RuntimeError):
    """Compiled code calls functions that nobody allowed."""


@dataclass(frozen=True)
class HostTarget:
    """The processor that code is compiled for."""

    triple: str
    cpu: str
    features: str
    vector_bytes: int

    def has(self, feature: str) -> bool:
        """Whether the processor has a feature (`avx512f`)."""
        return f"+{feature}" in self.features.split(",")


@dataclass
class Library:
    """Linked code. It lives as long as this object; addresses must not outlive it.

    Attributes:
        addresses: the exported functions.
        object_size: bytes of object code.
        was_cached: whether the object came from the folder of objects.
    """

    addresses: Mapping[str, int]
    object_size: int
    was_cached: bool
    _tracker: Any = field(repr=False)

    def function(self, name: str, result: Any, *parameters: Any) -> Any:
        """An exported function as a ctypes function, which releases the GIL while it runs."""
        made: Any = ctypes.CFUNCTYPE(result, *parameters)(self.addresses[name])
        made.library = self
        return made


_numbers = count(1)
_libraries: dict[bytes, Library] = {}


@cache
def host() -> HostTarget:
    """This machine, with everything it can do."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = binding.get_host_cpu_features().flatten()
    made = HostTarget(binding.get_process_triple(), binding.get_host_cpu_name(), features, 16)
    for feature, size in (("avx512f", 64), ("avx2", 32)):
        if made.has(feature):
            return HostTarget(made.triple, made.cpu, features, size)
    return made


def _target_machine() -> Any:
    target = host()
    found = binding.Target.from_triple(target.triple)
    return found.create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="small"
    )


@cache
def _jit() -> Any:
    return binding.create_lljit_compiler(_target_machine(), use_jit_link=False)


KERNEL_PASSES = ("sroa", "instruction_combine", "simplify_cfg")
"""What is left to do for kernels, which are written as vectors, unrolled and with loops hoisted:
the full pipeline takes five times as long and makes them no faster.
"""


def compile_module(
    text: str,
    exports: Sequence[str],
    imports: Mapping[str, int] | None = None,
    *,
    is_kernel: bool = False,
) -> Library:
    """Compile and link a module, or find what an earlier call made of the same text.

    Args:
        text: LLVM's textual form, without target lines.
        exports: the functions whose addresses are wanted.
        imports: addresses of the functions and tables of the host that the code may use.
        is_kernel: the text needs no more than `KERNEL_PASSES`.

    Raises:
        UnresolvedSymbols: the code needs a symbol that is neither imported nor allowed.
        RuntimeError: the text is not a valid module.
    """
    checkpoint()
    key = module_key(text, is_kernel)
    bound = dict(imports or {})
    # The same text over other addresses is another library, made of the same object.
    linked_key = hashlib.sha256(
        key + repr((sorted(bound.items()), sorted(exports))).encode()
    ).digest()
    with compiling:
        found = _libraries.get(linked_key)
        if found is None:
            found = _libraries[linked_key] = _load(key, text, is_kernel, exports, bound)
            while len(_libraries) > MAX_LIBRARIES:
                # Whoever still holds the oldest keeps it alive.
                del _libraries[next(iter(_libraries))]
        return found


def forget_libraries() -> None:
    """Empty the cache of this process; libraries that are still held stay usable."""
    with compiling:
        _libraries.clear()


def module_key(text: str, is_kernel: bool = False) -> bytes:
    """What an object depends on: the text, the processor and the compiler."""
    target = host()
    version = ".".join(map(str, binding.llvm_version_info))
    parts = (text, str(is_kernel), target.triple, target.cpu, target.features, version)
    return hashlib.sha256(FORMAT + "\0".join(parts).encode()).digest()


def _load(
    key: bytes, text: str, is_kernel: bool, exports: Sequence[str], imports: Mapping[str, int]
) -> Library:
    store = open_cache()
    image = store.load(key) if store is not None else None
    if image is not None:
        check_symbols(image, imports)
        return _link(image, exports, imports, True)
    image = emit_object(text, is_kernel)
    check_symbols(image, imports)
    _keep(store, key, image)
    return _link(image, exports, imports, False)


def _keep(store: ObjectCache | None, key: bytes, image: bytes) -> None:
    if store is not None:
        store.store(key, image)


def _link(
    image: bytes, exports: Sequence[str], imports: Mapping[str, int], cached: bool
) -> Library:
    builder = binding.JITLibraryBuilder().add_object_img(image).add_current_process()
    for name, address in imports.items():
        builder.import_symbol(name, address)
    for name in exports:
        builder.export_symbol(name)
    tracker = builder.link(_jit(), f"jitlang{next(_numbers)}")
    addresses = {name: tracker[name] for name in exports}
    return Library(addresses, len(image), cached, tracker)


# Compiling ----------------------------------------------------------------------------------------


def optimized(text: str, machine: Any, is_kernel: bool = False) -> Any:
    """The module of a text, verified and optimised for a target machine.

    Raises:
        RuntimeError: the text is not a valid module.
    """
    module = binding.parse_assembly(text, binding.create_context())
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = binding.create_pass_builder(machine, options)
    if is_kernel:
        manager = binding.create_new_module_pass_manager()
        for name in KERNEL_PASSES:
            getattr(manager, f"add_{name}_pass")()
    else:
        manager = builder.getModulePassManager()
    manager.run(module, builder)
    return module


def emit_object(text: str, is_kernel: bool = False) -> bytes:
    """Object code for this machine."""
    with compiling:
        machine = _target_machine()
        image: bytes = machine.emit_object(optimized(text, machine, is_kernel))
        return image


def emit_assembly(text: str) -> str:
    """Assembly for this machine, to be read."""
    with compiling:
        machine = _target_machine()
        assembly: str = machine.emit_assembly(optimized(text, machine))
        return assembly


def emit_device_assembly(text: str, architecture: str) -> str:
    """PTX for an NVIDIA architecture (`sm_90`)."""
    with compiling:
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
        found = binding.Target.from_triple("nvptx64-nvidia-cuda")
        machine = found.create_target_machine(cpu=architecture, features="+ptx80", opt=3)
        assembly: str = machine.emit_assembly(optimized(text, machine))
        return assembly


# Symbols ------------------------------------------------------------------------------------------


def check_symbols(image: bytes, imports: Mapping[str, int]) -> None:
    """Refuse an object that needs what nobody gave it.

    Raises:
        UnresolvedSymbols: with the names.
    """
    unknown = [
        name
        for name in undefined_symbols(image)
        if name not in imports and name not in LIBRARY_CALLS
    ]
    if unknown:
        raise UnresolvedSymbols(f"generated code needs {', '.join(sorted(unknown))}")


_SYMBOL_TABLE = 2
_GLOBAL_OFFSET_TABLE = "_GLOBAL_OFFSET_TABLE_"


def undefined_symbols(image: bytes) -> Iterator[str]:
    """The undefined symbols of an ELF object (64 bits, little endian)."""
    if image[:6] != b"\x7fELF\x02\x01":
        return
    (table,) = struct.unpack_from("<Q", image, 0x28)
    entry_size, entries = struct.unpack_from("<HH", image, 0x3A)
    sections = [
        struct.unpack_from("<IIQQQQIIQQ", image, table + entry_size * n) for n in range(entries)
    ]
    for _, kind, _, _, offset, size, link, _, _, width in sections:
        if kind != _SYMBOL_TABLE:
            continue
        names = sections[link][4]
        for place in range(offset + width, offset + size, width):
            name, _, _, section = struct.unpack_from("<IBBH", image, place)
            spelled = image[names + name : image.index(b"\0", names + name)].decode()
            if section == 0 and spelled not in ("", _GLOBAL_OFFSET_TABLE):
                yield spelled
