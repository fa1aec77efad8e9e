"""LLVM modules become callable code: optimisation, object code, linking, caches.

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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

from ..background import checkpoint, compiling
from . import elf
from .cache import open_cache
from .target import binding, host, initialize_host

FORMAT = b"1"
"""Changes whenever what `compile_module` does to the same text changes."""

LIBRARY_CALLS = frozenset(("fma", "fmaf", "fmod", "fmodf", "memcpy", "memmove", "memset"))
"""Functions of the C library that code may call: exact, or moves of memory that LLVM recognises."""

MAX_LIBRARIES = 1024
"""Libraries that this process remembers by content."""


class UnresolvedSymbols(RuntimeError):
    """Compiled code calls functions that nobody allowed."""


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
    _owner: Any = field(repr=False)

    def function(self, name: str, result: Any, *parameters: Any) -> Any:
        """An exported function as a ctypes function, which releases the GIL while it runs."""
        made: Any = ctypes.CFUNCTYPE(result, *parameters)(self.addresses[name])
        made.library = self
        return made


_numbers = count(1)
_libraries: dict[bytes, Library] = {}


def _target_machine() -> Any:
    initialize_host()
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
    parts = (text, str(is_kernel), target.triple, target.cpu, target.features, target.compiler)
    return hashlib.sha256(FORMAT + "\0".join(parts).encode()).digest()


def _load(
    key: bytes, text: str, is_kernel: bool, exports: Sequence[str], imports: Mapping[str, int]
) -> Library:
    store = open_cache()
    image = store.load(key) if store is not None else None
    if image is not None:
        return _link(image, exports, imports, True)
    image = emit_object(text, is_kernel)
    made = _link(image, exports, imports, False)
    if store is not None:
        store.store(key, image)
    return made


def _link(
    image: bytes, exports: Sequence[str], imports: Mapping[str, int], cached: bool
) -> Library:
    """Bind an object to this process.

    Raises:
        UnresolvedSymbols: the code needs what nobody gave it.
    """
    file = elf.ObjectFile(image)
    needed = list(file.undefined_symbols()) if file.is_elf else []
    unknown = [name for name in needed if name not in imports and name not in LIBRARY_CALLS]
    if unknown:
        raise UnresolvedSymbols(f"generated code needs {', '.join(sorted(unknown))}")
    if not file.is_linkable():
        return _link_by_llvm(image, exports, imports, cached)
    calls = {name: _library_call(name) for name in needed if name not in imports}
    code = elf.link(file, exports, {**calls, **imports})
    return Library(code.addresses, len(image), cached, code)


@cache
def _library_call(name: str) -> int:
    """The address of one of `LIBRARY_CALLS`."""
    process = ctypes.CDLL(None)
    library = process if hasattr(process, name) else ctypes.CDLL("libm.so.6")
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    assert address is not None
    return address


def _link_by_llvm(
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
