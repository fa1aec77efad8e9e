"""Loops over the elements of arrays, as one writes them for a compiler of loops: they run as native
code, for fixed sizes and for those that vary, and nobody can tell but by the time.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitlang as jl

RANDOM = np.random.default_rng(5)
Arguments = Callable[[int, int], tuple[Any, ...]]


def normal(*shape: int) -> Any:
    return RANDOM.normal(size=shape)


def small(*shape: int) -> Any:
    return RANDOM.integers(0, 9, shape)


def zeros(*shape: int) -> Any:
    return np.zeros(shape)


def counts(*shape: int) -> Any:
    return np.zeros(shape, np.int64)


# Programs -----------------------------------------------------------------------------------------


def total(x):
    t = 0.0
    for i in range(len(x)):
        t += x[i]
    return t


def total_of_items(x):
    t = 0
    for v in x:
        t += v * v
    return t


def variance(x):
    n = x.shape[0]
    m = 0.0
    for i in range(n):
        m += x[i]
    m /= n
    v = 0.0
    for i in range(n):
        d = x[i] - m
        v += d * d
    return v / n


def smooth(x, out):
    last = 0.0
    for i in range(x.shape[0]):
        last = 0.9 * last + 0.1 * x[i]
        out[i] = last
    return out


def product(a, b, c):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            s = 0.0
            for k in range(a.shape[1]):
                s += a[i, k] * b[k, j]
            c[i, j] = s
    return c


def cholesky(a, l):
    for i in range(a.shape[0]):
        for j in range(i + 1):
            s = 0.0
            for k in range(j):
                s += l[i, k] * l[j, k]
            if i == j:
                l[i, j] = math.sqrt(a[i, i] - s)
            else:
                l[i, j] = (a[i, j] - s) / l[j, j]
    return l


def edits(a, b, d):
    n, m = len(a), len(b)
    for i in range(n + 1):
        d[i, 0] = i
    for j in range(m + 1):
        d[0, j] = j
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = 0 if a[i - 1] == b[j - 1] else 1
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + cost)
    return d[n, m]


def bubbles(x):
    for i in range(len(x)):
        for j in range(len(x) - i - 1):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]
    return x


def histogram(n, h):
    for i in range(n.shape[0]):
        h[n[i]] += 1
    return h


def bins(x, h):
    for i in range(x.shape[0]):
        k = int((x[i] + 4) * 1.25)
        if 0 <= k < 10:
            h[k] += 1
    return h


def largest(x):
    best = 0
    for i in range(len(x)):
        if x[i] > x[best]:
            best = i
    return best


def best_above_zero(x):
    best = 0.0
    for i in range(len(x)):
        if x[i] > best:
            best = x[i]
    return best


def multiples(n):
    found = 0
    for i in range(len(n)):
        if n[i] % 3 == 0 and n[i] // 2 != 1:
            found += 1
    return found


def hash_of(n):
    h = 7
    for i in range(len(n)):
        h = (h * 31 + n[i]) % 1000000007
    return h


def knapsack(weights, values, best):
    for i in range(len(weights)):
        for c in range(len(best) - 1, weights[i] - 1, -1):
            best[c] = max(best[c], best[c - weights[i]] + values[i])
    return best


def relax(u):
    for i in range(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    return u


def clipped(x, out):
    for i in range(len(x)):
        out[i] = max(0, x[i]) + min(x[i], 1.0) + max(0.0, x[i], 0.5)
    return out


def pairs(x):
    t = 0.0
    for i in range(len(x)):
        for j in range(i):
            t += x[i] * x[j]
    return t


def areas(p):
    t = 0.0
    for row in p:
        t += row[0] * row[1]
    return t


def horner(c, x):
    r = 0.0
    for i in range(len(c)):
        r = r * x + c[i]
    return r


def until(x, limit):
    i = 0
    t = x[0]
    while i < len(x) and t < limit:
        t = t + abs(x[i])
        i += 1
    return t, i


def life(g, out):
    n, m = g.shape
    for i in range(n):
        for j in range(m):
            c = 0
            for di in range(-1, 2):
                for dj in range(-1, 2):
                    if di != 0 or dj != 0:
                        c += g[(i + di) % n, (j + dj) % m]
            if g[i, j] == 1 and (c == 2 or c == 3):
                out[i, j] = 1
            elif g[i, j] == 0 and c == 3:
                out[i, j] = 1
            else:
                out[i, j] = 0
    return out


def chase(n):
    k = 0
    steps = 0
    while steps < len(n):
        k = int(n[k]) % len(n)
        steps += 1
    return k


def into_single(x, out):
    for i in range(len(x)):
        out[i] = x[i] * 2
    return out


def prefix_sums(x):
    out = np.empty_like(x)
    s = x[0]
    out[0] = s
    for i in range(1, len(x)):
        s += x[i]
        out[i] = s
    return out


def subsequence(a, b):
    d = np.zeros((len(a) + 1, len(b) + 1), dtype=np.int64)
    for i in range(len(a)):
        for j in range(len(b)):
            if a[i] == b[j]:
                d[i + 1, j + 1] = d[i, j] + 1
            else:
                d[i + 1, j + 1] = max(d[i, j + 1], d[i + 1, j])
    return d[len(a), len(b)]


def solve(u, b):
    n = len(b)
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        s = b[i]
        for j in range(i + 1, n):
            s -= u[i, j] * x[j]
        x[i] = s / u[i, i]
    return x


def mask(x, limit):
    n, m = x.shape
    out, found = np.zeros((n, m), np.uint8), 0
    for i in range(n):
        for j in range(m):
            if x[i, j] > limit:
                out[i, j] = 255
                found += 1
    return out, found


def warped(x, y):
    n, m = len(x), len(y)
    d = np.full((n + 1, m + 1), np.inf)
    d[0, 0] = 0.0
    for i in range(n):
        for j in range(m):
            before = min(d[i, j + 1], d[i + 1, j], d[i, j])
            d[i + 1, j + 1] = abs(x[i] - y[j]) + before
    return d


def groups(edges):
    parent = np.arange(len(edges) + 8)
    found = parent.shape[-1]
    for e in range(len(edges)):
        a, b = edges[e, 0], edges[e, 1]
        while parent[a] != a:
            a = parent[a]
        while parent[b] != b:
            b = parent[b]
        if a != b:
            parent[a] = b
            found -= 1
    return found


def peak(x):
    best = 0.0
    for i in range(len(x)):
        best = max(best, abs(x[i]))
    return best


def best_run(x):
    best, run = x[0], 0.0
    for i in range(len(x)):
        run = max(x[i], run + x[i])
        best = max(best, run)
    return best


def positive(x):
    t = 0
    for v in x:
        t += max(v, 0)
    return t


def flips(s, chance):
    """What is summed on some ways only may be the number still, after writes."""
    energy, above = 0, 0
    for i in range(len(s)):
        near = s[i - 1] + s[(i + 1) % len(s)]
        if 2 * s[i] * near <= 0 or chance[i] < 0.2:
            s[i] = -s[i]
            energy += 2 * s[i] * near
        above += chance[i] > 0.5
    return energy, above


def powers(x):
    t = 0.0
    for i in range(len(x)):
        d = float(x[i]) - 0.5
        t += d**2 + i**2 + d**3
    return t


def between(x):
    found = 0
    for i in range(len(x)):
        above = i > 1 and x[i] > 0.5
        if 0 <= i < x[i] + 3 and not above:
            found += 1
    return found


def in_order(x):
    ok = True
    for i in range(1, len(x)):
        ok = ok and x[i] >= x[i - 1]
    return ok


def distance(x):
    t = 0.0
    for i in range(len(x)):
        t += x[i] ** 2
    return np.sqrt(t)


PROGRAMS: list[tuple[Callable[..., Any], Arguments]] = [
    (total, lambda n, m: (normal(n),)),
    (total, lambda n, m: (normal(n).astype(np.float32),)),
    (total_of_items, lambda n, m: (normal(n),)),
    (total_of_items, lambda n, m: (small(n).astype(np.int32),)),
    (variance, lambda n, m: (normal(n),)),
    (smooth, lambda n, m: (normal(n), zeros(n))),
    (product, lambda n, m: (normal(n, m), normal(m, 3), zeros(n, 3))),
    (cholesky, lambda n, m: (np.eye(n) * n + np.ones((n, n)), zeros(n, n))),
    (edits, lambda n, m: (small(n), small(m), counts(n + 1, m + 1))),
    (bubbles, lambda n, m: (normal(n),)),
    (histogram, lambda n, m: (small(n), counts(10))),
    (bins, lambda n, m: (normal(n), zeros(10))),
    (largest, lambda n, m: (normal(n),)),
    (best_above_zero, lambda n, m: (normal(n) + 1,)),
    (multiples, lambda n, m: (small(n),)),
    (hash_of, lambda n, m: (small(n),)),
    (knapsack, lambda n, m: (small(n) + 1, small(n), counts(m))),
    (relax, lambda n, m: (normal(n, m),)),
    (clipped, lambda n, m: (normal(n), zeros(n))),
    (pairs, lambda n, m: (normal(n),)),
    (areas, lambda n, m: (normal(n, 2),)),
    (horner, lambda n, m: (normal(n), 0.3)),
    (until, lambda n, m: (normal(n), 3.0)),
    (life, lambda n, m: (RANDOM.integers(0, 2, (n, m)), counts(n, m))),
    (chase, lambda n, m: (small(n),)),
    (into_single, lambda n, m: (normal(n), np.zeros(n, np.float32))),
    (prefix_sums, lambda n, m: (normal(n),)),
    (prefix_sums, lambda n, m: (small(n).astype(np.uint8),)),
    (subsequence, lambda n, m: (small(n), small(m))),
    (solve, lambda n, m: (np.eye(n) + np.ones((n, n)), normal(n))),
    (mask, lambda n, m: (normal(n, m), 0.2)),
    (warped, lambda n, m: (normal(n), normal(m))),
    (groups, lambda n, m: (small(n, 2),)),
    (flips, lambda n, m: (small(n) % 2 * 2 - 1, abs(normal(n)))),
    (powers, lambda n, m: (normal(n),)),
    (distance, lambda n, m: (normal(n),)),
    (between, lambda n, m: (normal(n),)),
    (in_order, lambda n, m: (normal(n),)),
    (in_order, lambda n, m: (np.sort(normal(n)),)),
    (peak, lambda n, m: (normal(n),)),
    (best_run, lambda n, m: (normal(n),)),
    (positive, lambda n, m: (abs(normal(n)),)),
    (positive, lambda n, m: (small(n) + 1,)),
]
NAMES = [f"{function.__name__}-{number}" for number, (function, _) in enumerate(PROGRAMS)]


def same(one: Any, another: Any) -> bool:
    """Whether two results are of one kind and equal to the bit."""
    if isinstance(one, tuple):
        return len(one) == len(another) and all(map(same, one, another))
    return type(one) is type(another) and np.asarray(one).tobytes() == np.asarray(another).tobytes()


def agree(scripted: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Script and function give the same and leave the same in their arguments, errors included."""
    given = copy.deepcopy(arguments)
    try:
        wanted = function(*arguments)
    except Exception as error:
        with pytest.raises(type(error)) as raised:
            scripted(*given)
        assert str(raised.value) == str(error)
    else:
        got = scripted(*given)
        assert same(got, wanted), (got, wanted)
    assert all(map(same, given, arguments))



# Tests --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "arguments"), PROGRAMS, ids=NAMES)
def test_fixed_sizes(function, arguments):
    """One size: a static version without Python in it."""
    scripted = jl.script(function)
    for _ in range(6):
        agree(scripted, function, arguments(9, 7))
    assert "static version" in str(scripted.explain())
    assert "in Python: 0" in str(scripted.explain())
    assert "not specialized" not in str(scripted.explain())


@pytest.mark.parametrize(("function", "arguments"), PROGRAMS, ids=NAMES)
def test_sizes_that_vary(function, arguments):
    """Other sizes in every call, none and one among them: what does not fit is answered too."""
    scripted = jl.script(function)
    for n, m in [(5, 4), (6, 9), (7, 3), (8, 2), (4, 7), (11, 5), (3, 3), (12, 6)] * 3:
        agree(scripted, function, arguments(n, m))
    assert "one function for other sizes: none" not in str(scripted.explain())
    for n, m in [(1, 1), (2, 1), (0, 0), (0, 3), (20, 20)]:
        agree(scripted, function, arguments(n, m))


def test_numbers_that_stay_numbers():
    """What no trip made a scalar is the number that it was."""
    for function in (total, best_above_zero, pairs, peak, positive):
        scripted = jl.script(function)
        for x in (normal(5), normal(5), normal(5), -abs(normal(5)), zeros(5), normal(5)):
            agree(scripted, function, (x,))
    scripted = jl.script(total)
    for n in (3, 4, 5, 6, 7, 8, 0, 9, 0):
        agree(scripted, total, (normal(n),))


def test_sums_of_no_elements_are_numbers():
    """A version gives the number that a sum began as itself, of its class."""

    def above(x, out, begin: float):
        t, u, n = begin, 0, 3
        for i in range(len(x)):
            out[i] = 1
            if x[i] > 0:
                t += x[i]
                u += x[i]
            n += x[i] > 2
        return t, u, n

    def mixed(x):
        t, u = 1, 1
        for i in range(len(x)):
            t -= float(x[i])
            t = max(t, x[i])
            u = u / 2 if x[i] > 0 else x[i]
        return t, u

    other = jl.script(mixed)
    for x in (normal(4), normal(4), normal(4), normal(4), -abs(normal(4)), abs(normal(4))):
        agree(other, mixed, (x,))
    scripted = jl.script(above)
    for _ in range(3):
        agree(scripted, above, (normal(5), zeros(5), 0.5))
    for x in (-abs(normal(5)), normal(5), zeros(5)):
        agree(scripted, above, (x, zeros(5), -0.0))
    assert "missed" not in str(scripted.explain())


def test_variables_of_one_loop_are_told_apart():
    """Whether one is a number depends on the other, in the same trip and in the one before."""

    def twins(x, limit):
        low, high, best = -1.5, 0, 7
        for i in range(len(x)):
            low = min(low, x[i])
            high = max(high, max(low, 2))
            if i % 2 == 0:
                best = min(best, high) if x[i] > limit else best
        return low, high, best

    scripted = jl.script(twins)
    for _ in range(3):
        agree(scripted, twins, (normal(4), 0.0))
    for k in range(40):
        x = np.roll(np.array([-2.0, 3.0, 9.0, -1.0]), k) * (k % 7)
        agree(scripted, twins, (x, k % 5 - 2))


def test_large_ints_stay_what_they_were():
    """No float holds them, so nothing begins as one in their place."""

    def above(x, k: int):
        t = k
        for i in range(len(x)):
            if x[i] > 0:
                t += x[i]
        return t, int(t)

    def doubled(x):
        t = 1
        for i in range(len(x)):
            t = t * 3 if x[i] < 0 else t + x[i]
        return t

    scripted, other = jl.script(above), jl.script(doubled)
    for k in (1, 2, 3, 2**53 + 1, 2**62 + 1):
        agree(scripted, above, (-abs(normal(3)), k))
        agree(scripted, above, (abs(normal(3)), k))
    for n in (2, 2, 2, 2, 38, 38, 38, 38):
        agree(other, doubled, (-abs(normal(n)),))
        agree(other, doubled, (normal(n),))


def test_indices_out_of_range():
    """They raise NumPy's error; what was written before is written."""

    def fill(x, out, k: int):
        for i in range(len(x) + k):
            out[i] = x[i] + 1
        return out

    def pick(x, i: int, j: int):
        return x[i, j] + 1

    scripted, picker = jl.script(fill), jl.script(pick)
    for k in (0, 0, 0, 0, 2, 0, 1):
        agree(scripted, fill, (normal(4), zeros(4), k))
        agree(scripted, fill, (normal(6), zeros(4), k - 2))
    for n in (3, 4, 5, 6, 7, 8):
        agree(scripted, fill, (normal(n), zeros(n), 1))
    for i, j in [(0, 0), (1, 1), (-1, -2), (2, -3), (3, 0), (0, 3), (-4, 0), (0, -4), (2**40, 0)]:
        agree(picker, pick, (normal(3, 3), i, j))


def test_indices_that_are_known_to_be_out_of_range():
    """They raise when they are reached; arrays without elements are no reason to give up."""

    def first(x, out, k: int):
        out[0] = 7
        if k > 0:
            out[k % 2] = x[4]
        for i in range(len(x)):
            out[0] += x[i]
        return out

    scripted = jl.script(first)
    for n, k in [(0, 0), (0, 0), (0, 0), (0, 1), (3, 0), (3, 0), (3, 0), (3, 1), (5, 1)] * 2:
        agree(scripted, first, (normal(n), zeros(2), k))
    assert "not specialized" not in str(scripted.explain())


def test_an_index_error_shows_the_line():
    def last(x, i: int):
        return x[i] * 2

    scripted = jl.script(last)
    for _ in range(4):
        scripted(normal(3), 1)
    with pytest.raises(IndexError) as raised:
        scripted(normal(3), 7)
    assert any("return x[i] * 2" in note for note in raised.value.__notes__)


def test_kernels_with_tables():
    """Functions that look numbers up are part of the native function, several of them too."""

    def waves(x):
        t = 0.0
        for i in range(len(x)):
            t += np.sin(x[i]) * np.exp(-x[i]) + np.cos(x[i]) + np.tan(x[i])
        return t

    scripted = jl.script(waves)
    for n in (5, 5, 5, 5, 6, 7):
        x = normal(n)
        assert np.isclose(scripted(x), waves(x), rtol=1e-12)
    assert "not specialized" not in str(scripted.explain())


def test_elements_are_values():
    """An element that was read stays what it was when the array changes."""

    def swap(x):
        a, b = x[0], x[1]
        x[0] = b
        x[1] = a
        x[2] += a
        return a, b

    scripted = jl.script(swap)
    for _ in range(5):
        agree(scripted, swap, (normal(3),))


def test_ints_are_sizes():
    """Arrays of so many elements as an int says: one version for all of them."""

    def primes(n):
        is_prime, found = np.ones(n + 1, dtype=np.bool_), 0
        for i in range(2, n + 1):
            if is_prime[i]:
                found += 1
                for j in range(i * i, n + 1, i):
                    is_prime[j] = False
        return found, is_prime

    def spread(x, n: int, m: int):
        h = np.zeros((n, 2 * m))
        for i in range(len(x)):
            h[i % n, int(x[i] * 2) % m] += x[i]
        return h

    scripted = jl.script(primes)
    for n in (30, 31, 5, 2, 1, 77, 100, 12):
        agree(scripted, primes, (n,))
    assert "static version: 6 calls" in str(scripted.explain())
    for n in (0, -1, -5, 9):
        agree(scripted, primes, (n,))
    other = jl.script(spread)
    for n, m, k in [(3, 4, 9), (5, 2, 4), (4, 4, 6), (1, 1, 8), (9, 3, 7), (0, 1, 5)] * 4:
        agree(other, spread, (normal(k), n, m))
    assert "one function for other sizes: none" not in str(other.explain())


def test_views_are_views():
    """A row at a computed index shows what is written to it."""

    def rows(x, i: int):
        row = x[i]
        x[i, 0] = 7.0
        return row[0] + row[1]

    scripted = jl.script(rows)
    for i in (0, 1, 2, -1, 0):
        agree(scripted, rows, (normal(3, 2), i))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "bool", "float32"])
def test_dtypes(dtype):
    def walk(x, out):
        for i in range(len(x)):
            if x[i]:
                out[i] = x[i]
            else:
                out[i] = 1
        return out

    scripted = jl.script(walk)
    for _ in range(5):
        x = small(6).astype(dtype)
        agree(scripted, walk, (x, np.zeros(6, dtype)))
        agree(scripted, walk, (x[::-1], np.zeros(12, dtype)[::2]))


def test_integers_into_small_dtypes():
    """Numbers that fit are stored, others are for NumPy to refuse."""

    def marked(out, k: int):
        out[0] = 100
        out[1] = k
        return out

    def refused(out):
        out[0] = 1
        out[1] = 300
        return out

    for function, rest in ((marked, (-1,)), (refused, ())):
        scripted = jl.script(function)
        for dtype in (np.uint8, np.int8, np.int32, np.int64) * 4:
            agree(scripted, function, (np.zeros(2, dtype), *rest))


def test_read_only_and_shared_memory():
    def shift(x, out):
        for i in range(len(x)):
            out[i] = x[i]
        return out

    scripted = jl.script(shift)
    for _ in range(5):
        agree(scripted, shift, (normal(5), zeros(5)))
    frozen = zeros(5)
    frozen.flags.writeable = False
    for function in (shift, scripted):
        with pytest.raises(ValueError, match="assignment destination is read-only"):
            function(normal(5), frozen)
    x, y = np.arange(6.0), np.arange(6.0)
    assert scripted(x[:5], x[1:]).tolist() == shift(y[:5], y[1:]).tolist()


# Whole arrays that loops write --------------------------------------------------------------------


def row_sums(x):
    acc = np.zeros(x.shape[1])
    for i in range(x.shape[0]):
        acc += x[i]
    return acc


def decays(x, n: int):
    y = x.copy()
    for _ in range(n):
        y *= 0.5
        y[1:] += y[:-1]
    return y


def shrinks(x, n: int):
    for _ in range(n):
        x *= 0.5
    return x


def moves(x, n: int):
    y = x * 1.0
    for _ in range(n):
        y = y + x
        y -= 0.5
    return y


def widened(x, y):
    x += y
    return x


WRITERS: list[tuple[Callable[..., Any], Arguments]] = [
    (row_sums, lambda n, m: (normal(n, m),)),
    (decays, lambda n, m: (normal(n), 3)),
    (shrinks, lambda n, m: (normal(n), 3)),
    (moves, lambda n, m: (normal(n), 3)),
    (widened, lambda n, m: (normal(n, m), normal(m))),
    (widened, lambda n, m: (normal(n).astype(np.float32), normal(n))),
]


@pytest.mark.parametrize(("function", "arguments"), WRITERS)
def test_arrays_that_loops_write(function, arguments):
    scripted, fixed = jl.script(function), jl.script(function)
    for _ in range(6):
        agree(fixed, function, arguments(5, 4))
    for n, m in [(5, 4), (6, 9), (7, 3), (8, 2), (4, 7), (11, 5), (3, 3), (12, 6)] * 3:
        agree(scripted, function, arguments(n, m))
    for n, m in [(1, 1), (2, 1), (0, 0), (0, 3), (20, 20)]:
        agree(scripted, function, arguments(n, m))


@pytest.mark.parametrize(("function", "arguments"), WRITERS[:5])
def test_arrays_that_loops_write_are_native(function, arguments):
    fixed = jl.script(function)
    for _ in range(6):
        fixed(*arguments(5, 4))
    assert "in Python: 0" in str(fixed.explain())


def test_a_write_may_not_widen_an_array():
    scripted = jl.script(widened)
    for _ in range(4):
        agree(scripted, widened, (normal(1, 3), normal(3)))
    for n in (3, 4, 5, 6, 7):
        agree(scripted, widened, (normal(1, n), normal(n)))
        agree(scripted, widened, (normal(1, n), normal(2, n)))
        agree(scripted, widened, (normal(1), normal(n)))
        agree(scripted, widened, (normal(n), normal(n + 1)))


def remainder(x: np.ndarray, y: np.ndarray) -> Any:
    return x[0, y[0] % 3] % 3


def quotient(x: np.ndarray, y: np.ndarray) -> Any:
    return x[0, y[0] % 3] // 2


def chosen(x: np.ndarray, y: np.ndarray) -> Any:
    a = x[0, y[0] % 3]
    return np.where(a > 2, a, 1)


def least(x: np.ndarray, y: np.ndarray) -> Any:
    return min(x[0, y[0] % 3] % 7, x[1, 1])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "float16", "float32"])
@pytest.mark.parametrize("function", [remainder, quotient, chosen, least])
def test_results_are_scalars_where_those_of_numpy_are(function, dtype):
    x, y = np.arange(6).reshape(2, 3).astype(dtype), np.array([2, 1, 5])
    expected, script = function(x, y), jl.script(function)
    for _ in range(4):
        found = script(x, y)
        assert type(found) is type(expected)
        assert found.dtype == expected.dtype and found == expected


def fill_elements(x: np.ndarray) -> Any:
    for element in x:
        element[...] = 3
    return x


def fill_a_sum(x: np.ndarray) -> Any:
    total = x.sum()
    total[...] = 1
    return total


def raise_a_maximum(x: np.ndarray) -> Any:
    top = x.max()
    top[None, None] += 1
    return top


def store_at_two_indices(x: np.ndarray) -> Any:
    x[0][0, 1] = 1
    return x


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    "function", [fill_elements, fill_a_sum, raise_a_maximum, store_at_two_indices]
)
def test_scalars_take_no_items(function, dtype):
    script = jl.script(function)
    for _ in range(4):
        with pytest.raises(TypeError, match="object does not support item assignment"):
            script(np.arange(4).astype(dtype))


def store_an_element(x: np.ndarray, y: np.ndarray) -> Any:
    x[1] = y[0]
    return x


def store_elements(x: np.ndarray, y: np.ndarray) -> Any:
    for i in range(len(x)):
        x[i] = y[0]
    return x


def store_in_all(x: np.ndarray, y: np.ndarray) -> Any:
    x[:] = y[0]
    return x


def add_an_element(x: np.ndarray, y: np.ndarray) -> Any:
    x += y[0]
    return x


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """What a function gives, or the error that it raises."""
    try:
        with np.errstate(invalid="ignore"):
            return function(*args).tolist()
    except (OverflowError, TypeError) as error:
        return str(error)


@pytest.mark.parametrize("source", ["uint8", "int8", "int64", "float32", "float64", "bool"])
@pytest.mark.parametrize("target", ["uint8", "int8", "int32", "int64", "float32"])
@pytest.mark.parametrize(
    "function", [store_an_element, store_elements, store_in_all, add_an_element]
)
def test_elements_of_other_dtypes_are_written_as_numpy_does(function, target, source):
    script = jl.script(function)
    for value in (1, 1, 1, 200, 0.1, 1, 2**31):
        with np.errstate(all="ignore"):
            y = np.array([value]).astype(source)
        expected = outcome(function, np.ones(3, target), y)
        assert outcome(script, np.ones(3, target), y) == expected


def multiples(out: np.ndarray, n: int) -> None:
    for i in range(len(out)):
        out[i] = i * n


def taken(out: np.ndarray, y: np.ndarray) -> None:
    for i in range(len(y)):
        out[i, 1] = y[i] + 1


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "int64"])
def test_ints_that_a_small_dtype_may_not_hold(dtype: str) -> None:
    def both(function: Any, script: Any, *arguments: Any) -> None:
        outcomes = []
        for each in (function, script):
            copied = copy.deepcopy(arguments)
            try:
                each(*copied)
                outcomes.append((copied[0].tolist(), None, ""))
            except OverflowError as error:
                outcomes.append((copied[0].tolist(), type(error), str(error)))
        assert outcomes[0] == outcomes[1]

    script = jl.script(multiples)
    for n in (1, 2, 3, 4, 40, -40, 10**9, -(10**9), 10**17, 3):
        both(multiples, script, np.zeros(9, dtype), n)
    assert "native" in str(script.explain())
    script = jl.script(taken)
    for n in (1, 2, 3, 4, 40, -40, 10**9, 10**17, 3):
        if dtype != "uint8" or n > 0:  # of NumPy's scalars it keeps the last bits
            both(taken, script, np.zeros((9, 2), dtype), np.arange(9) * n)
