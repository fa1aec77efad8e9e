"""The Mandelbrot set, a number at a time: how many steps all points of a picture take to escape."""

from __future__ import annotations

import jitlang as jl
from benchmarks import peers
from benchmarks.harness import Variant, Workload
from benchmarks.peers import never_slower, numba_variants
from benchmarks.statistics import Target

WIDTH, HEIGHT, LIMIT = 100, 80, 200


def escape_steps(left: float, top: float, width: int, height: int, limit: int) -> int:
    total = 0
    for row in range(height):
        ci = top + row * 2.0 / height
        for column in range(width):
            cr = left + column * 3.0 / width
            zr, zi, steps = 0.0, 0.0, 0
            while steps < limit and zr * zr + zi * zi <= 4.0:
                zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
                steps += 1
            total += steps
    return total


def workload() -> Workload:
    scripts = {}
    if peers.torch is not None:
        scripts["TorchScript"] = Variant(peers.torch.jit.script(escape_steps))
    variants = {
        "python": Variant(escape_steps),
        **scripts,
        **numba_variants(escape_steps),
        "jitlang": Variant(jl.script(escape_steps)),
    }

    return Workload(
        name=f"Mandelbrot set, {WIDTH} x {HEIGHT} points, at most {LIMIT} steps",
        variants=variants,
        inputs=lambda pool: (
            float(pool.rng.uniform(-2.1, -1.9)),
            float(pool.rng.uniform(-1.1, -0.9)),
            WIDTH,
            HEIGHT,
            LIMIT,
        ),
        targets=[
            Target("jitlang", peers.names(variants)),
            never_slower("jitlang", "python"),
        ],
        seconds=4.0,
    )
