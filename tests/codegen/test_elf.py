"""Objects are linked without LLVM: imports near and far, constants, variables, protection."""

import ctypes
import gc
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jitlang import config
from jitlang.codegen import elf, llvm, target

ADD = "define i64 @add(i64 %a, i64 %b) {\n  %c = add i64 %a, %b\n  ret i64 %c\n}"
EVERYTHING = """
@counter = internal global i64 5
@shared = global i64 7
@outside = external global i64
@scales = internal constant [4 x double] [double 0.5, double 1.5, double 2.5, double 3.5]
@functions = internal global [1 x ptr] [ptr @twice]
declare i64 @host_function(i64)
define internal i64 @twice(i64 %a) noinline {
  %c = mul i64 %a, 2
  ret i64 %c
}
define i64 @count(i64 %a) {
  %old = load i64, ptr @counter
  %new = add i64 %old, %a
  store i64 %new, ptr @counter
  ret i64 %new
}
define i64 @call(i64 %a) {
  %b = call i64 @host_function(i64 %a)
  %f = load volatile ptr, ptr @functions
  %c = call i64 %f(i64 %b)
  ret i64 %c
}
define i64 @read() {
  %a = load i64, ptr @outside
  %b = load i64, ptr @shared
  %c = sub i64 %a, %b
  ret i64 %c
}
define double @scale(i64 %n) {
  %p = getelementptr double, ptr @scales, i64 %n
  %x = load double, ptr %p
  ret double %x
}
"""
needs_elf = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not target.host().triple.startswith("x86_64"),
    reason="objects of this platform are linked by LLVM",
)


def linked(text, exports, imports=None):
    file = elf.ObjectFile(llvm.emit_object(text))
    assert file.is_linkable()
    return elf.link(file, exports, imports or {})


def function(code, name, result=ctypes.c_int64, *parameters):
    return ctypes.CFUNCTYPE(result, *parameters)(code.addresses[name])


def test_undefined_symbols_are_named():
    wave = "declare double @sin(double)\ndefine double @wave(double %a) {\n"
    wave += "  %c = call double @sin(double %a)\n  ret double %c\n}"
    assert list(elf.ObjectFile(llvm.emit_object(wave)).undefined_symbols()) == ["sin"]
    assert list(elf.ObjectFile(llvm.emit_object(ADD)).undefined_symbols()) == []


@needs_elf
@pytest.mark.parametrize("near", [True, False])
def test_everything_that_code_refers_to(near, monkeypatch):
    if not near:
        monkeypatch.setattr(elf, "_NEAR", 0)  # each call goes through a stub
    host = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda a: a + 1)
    outside = ctypes.c_int64(49)
    imports = {
        "host_function": ctypes.cast(host, ctypes.c_void_p).value,
        "outside": ctypes.addressof(outside),
    }
    code = linked(EVERYTHING, ["count", "call", "read", "scale"], imports)
    count = function(code, "count", ctypes.c_int64, ctypes.c_int64)
    assert [count(1), count(10)] == [6, 16]
    assert function(code, "call", ctypes.c_int64, ctypes.c_int64)(20) == 42
    assert function(code, "read")() == 42
    scale = function(code, "scale", ctypes.c_double, ctypes.c_int64)
    assert [scale(n) for n in range(4)] == [0.5, 1.5, 2.5, 3.5]


def access_of(address):
    """The protection of the page at an address, as the system tells it (`r-xp`); empty: none."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last, access = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
        if int(first, 16) <= address < int(last, 16):
            return access
    return ""


@needs_elf
def test_no_page_is_written_and_executed():
    code = linked(EVERYTHING, ["count", "scales", "counter"], {"host_function": 1, "outside": 1})
    found = {name: access_of(address) for name, address in code.addresses.items()}
    assert found == {"count": "r-xp", "scales": "r--p", "counter": "rw-p"}


@needs_elf
def test_code_goes_with_its_object():
    code = linked(ADD, ["add"])
    address = code.addresses["add"]
    assert access_of(address) == "r-xp"
    del code
    gc.collect()
    assert access_of(address) == ""


@needs_elf
def test_what_is_missing_is_named():
    with pytest.raises(KeyError, match="subtract"):
        linked(ADD, ["subtract"])
    with pytest.raises(KeyError, match="host_function"):
        linked(EVERYTHING, ["call"], {"outside": 1})


@needs_elf
def test_unknown_objects_are_left_to_llvm():
    image = bytearray(llvm.emit_object(ADD))
    assert elf.ObjectFile(bytes(image)).is_linkable()
    image[0x12] = 183  # AArch64
    assert not elf.ObjectFile(bytes(image)).is_linkable()
    assert not elf.ObjectFile(b"\xcf\xfa\xed\xfe" + bytes(100)).is_linkable()  # Mach-O


def test_llvm_links_what_is_left_to_it(monkeypatch):
    monkeypatch.setattr(elf.ObjectFile, "is_linkable", lambda self: False)
    llvm.forget_libraries()
    with config.override(cache_dir="off"):
        library = llvm.compile_module(ADD, ["add"])
    llvm.forget_libraries()
    assert library.function("add", ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(40, 2) == 42


def test_functions_of_the_c_library_are_found():
    for name in llvm.LIBRARY_CALLS:
        assert llvm._library_call(name)


WARM_START = """
import sys
import jitlang as jl

@jl.script
def f(x: jl.Tensor) -> jl.Tensor:
    return x.tanh() * 2 + x.sum()

x = jl.ones(10)
print([f(x)[0].item() for _ in range(4)][-1], f.explain().phase, "llvmlite.binding" in sys.modules)
"""


@needs_elf
def test_a_warm_start_does_not_load_llvm(tmp_path):
    script = tmp_path / "start.py"
    script.write_text(WARM_START)
    told = [_run(script, tmp_path / "objects") for _ in range(2)]
    assert [line.split()[2] for line in told] == ["True", "False"]
    assert told[0].split()[:2] == told[1].split()[:2]


def _run(script, folder):
    environment = {
        "JITLANG_CACHE_DIR": str(folder),
        "PYTHONPATH": str(Path(elf.__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
