"""What compiling costs grows with the size of a function, not with its square."""

import cProfile
import importlib.util
import pstats
import random
import subprocess
import sys
from pathlib import Path

import pytest

from jitlang import config, ones, script

HEAD = ["from jitlang import Tensor", "def work(x: Tensor, y: Tensor):"]


def chain(count):
    """Each line reads the line before, and now and then `y`."""
    forms = ("{} * 0.5", "({} + y).tanh()", "{} - 0.25", "{}.sigmoid()")
    lines, before = list(HEAD), "x"
    for n in range(count):
        lines.append(f"    v{n} = " + forms[n % len(forms)].format(before))
        before = f"v{n}"
    return "\n".join([*lines, f"    return {before}", ""])


def web(count):
    """Each line reads any two before it, and all is read in the end."""
    choose = random.Random(count)
    lines, names, unread = list(HEAD), ["x", "y"], set()
    for n in range(count // 2):
        pair = choose.choices(names, k=2)
        lines.append(f"    v{n} = " + choose.choice("+-*").join(pair))
        names.append(f"v{n}")
        unread = (unread | {f"v{n}"}) - set(pair)
    lines.append("    s = x")
    lines += [f"    s = s * {name}" for name in [*sorted(unread), *names]][: count - count // 2]
    return "\n".join([*lines, "    return s", ""])


FORMS = {"chain": chain, "web": web}


def compile_and_run(text, folder):
    """Script the function in the text, compile it for two vectors, and call it."""
    path = Path(folder) / "generated.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("generated", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with config.override(cache_dir="off", verify=False):
        made = script(module.work)
        made.compile(ones(8), ones(8))
        return made(ones(8), ones(8))


def calls_of(text, folder):
    """How many Python functions run while a text is compiled."""
    profile = cProfile.Profile()
    with config.override(max_kernel_ops=50):  # many parts
        profile.runcall(compile_and_run, text, folder)
    return pstats.Stats(profile).total_calls


@pytest.mark.parametrize("form", FORMS)
def test_the_work_of_compiling_is_linear(form, tmp_path):
    compile_and_run(FORMS[form](20), tmp_path)
    small, big = (calls_of(FORMS[form](count), tmp_path) for count in (200, 1000))
    assert big < 5.5 * small


BOUNDS = {1_000: (6, 1 << 20), 10_000: (60, 1 << 20)}
"""By lines: seconds of processor time, KiB of memory."""

PROGRAM = """
import resource, sys, tempfile
sys.path.insert(0, sys.argv[1])
from test_scaling import FORMS, compile_and_run
with tempfile.TemporaryDirectory() as folder:
    compile_and_run(FORMS[sys.argv[2]](int(sys.argv[3])), folder)
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", BOUNDS)
def test_big_functions_compile_in_bounded_time_and_memory(count, form):
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), form, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    assert seconds <= BOUNDS[count][0] and kilobytes <= BOUNDS[count][1]
