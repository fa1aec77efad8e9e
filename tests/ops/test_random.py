"""Philox known answers, the state that draws advance, and the distributions' properties."""

import math
import pickle
import threading

import numpy as np
import pytest
from calling import outcome_of, run

from jitlang import dtypes
from jitlang.ops.algebra import NumpyAlgebra
from jitlang.ops.generator import Generator, default_generator, philox
from jitlang.ops.normal import PairAlgebra, box_muller

# The vectors that come with Random123, the paper's own library.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def words_of(counters, key):
    """The words of counters, one after the other."""
    columns = philox(list(np.array(counters, "uint64").T), key)
    return np.stack(columns, 1).astype("uint32").reshape(-1)


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox(counter, key, words):
    assert words_of([counter], key).tolist() == list(words)
    alone = [np.array([n], "uint64") if n else np.uint64(0) for n in counter]
    assert [int(word) & 0xFFFFFFFF for (word,) in map(np.atleast_1d, philox(alone, key))] == list(
        words
    )


def test_elements_are_words_of_consecutive_counters():
    generator = Generator(seed=0x0123456789ABCDEF)
    words = generator.words(10)
    expected = words_of([[i, 0, 0, 0] for i in range(3)], (0x89ABCDEF, 0x01234567))[:10]
    assert np.array_equal(words, expected)
    assert generator.offset == 3
    assert np.array_equal(
        generator.words(1),
        words_of([[3, 0, 0, 0]], (0x89ABCDEF, 0x01234567))[:1],
    )


def test_long_draws_are_short_ones_in_a_row():
    long, short = Generator(seed=3), Generator(seed=3)
    parts = [short.words(4 * 10_001) for _ in range(5)]
    np.testing.assert_array_equal(long.words(5 * 4 * 10_001), np.concatenate(parts))


def test_counters_carry_into_the_second_word():
    generator = Generator(seed=7).set_state((7, 2**32 - 1))
    words = generator.words(8)
    assert np.array_equal(words[:4], words_of([[2**32 - 1, 0, 0, 0]], (7, 0)))
    assert np.array_equal(words[4:], words_of([[0, 1, 0, 0]], (7, 0)))
    last = Generator().set_state((7, 2**64 - 1)).words(8)
    assert np.array_equal(last[4:], words_of([[0, 0, 0, 0]], (7, 0)))


def test_uniform():
    generator = Generator(seed=1)
    words = Generator(seed=1).words(6)
    drawn = run("aten::rand.generator", [2, 3], generator)
    assert drawn.dtype == "float32" and drawn.shape == (2, 3)
    assert np.array_equal(drawn.reshape(-1), (words >> np.uint32(8)) * np.float32(2**-24))


def test_seeds_repeat_and_states_travel():
    default_generator.manual_seed(3)
    first = run("aten::rand", [5])
    default_generator.manual_seed(3)
    assert np.array_equal(run("aten::rand", [5]), first)
    generator = Generator(seed=9)
    generator.words(5)
    copy = pickle.loads(pickle.dumps(generator))
    assert np.array_equal(copy.words(4), generator.words(4))
    assert Generator().manual_seed(-1).initial_seed() == 2**64 - 1


def test_normal():
    drawn = run("aten::randn.generator", [100_001], Generator(seed=5))
    assert drawn.dtype == "float32" and np.isfinite(drawn).all()
    assert abs(drawn.mean()) < 0.02 and abs(drawn.std() - 1) < 0.02
    wide = run("aten::randn.generator", [7], Generator(seed=5), dtypes.float64)
    assert np.allclose(wide, drawn[:7], atol=1e-5)


def test_normal_is_box_muller_of_neighbouring_words():
    words = Generator(seed=2).words(4) >> np.uint32(8)
    radius = math.sqrt(-2 * math.log((int(words[0]) + 1) * 2**-24))
    angle = 2 * math.pi * int(words[1]) * 2**-24
    drawn = run("aten::randn.generator", [2], Generator(seed=2))
    assert np.allclose(drawn, [radius * math.cos(angle), radius * math.sin(angle)], atol=1e-6)


class Checked(PairAlgebra):
    """Compares each step with the one of any numbers."""

    def fma(self, x, y, z):
        found = super().fma(x, y, z)
        assert np.array_equal(found, NumpyAlgebra.fma(self, x, y, z))
        return found


@pytest.mark.parametrize("stride", [37, pytest.param(1, marks=pytest.mark.slow)])
def test_normals_may_round_twice(stride):
    m, step = Checked(np, dtypes.float32), 2**13
    pairs = np.empty((step, 2), "float32")
    for start in range(0, 2**24, stride * step):
        bits = np.arange(start, start + step).astype("float32")
        box_muller(m, bits, bits, pairs)


@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64])
def test_normals_have_the_bits_of_the_functions(dtype):
    n = 3000
    words = Generator(seed=6).words(n) >> np.uint32(8)
    words[:4] = 0, 0, 2**24 - 1, 2**24 - 1
    first, second = words.reshape(-1, 2).T.astype(dtype.numpy)
    pairs = np.empty((n // 2, 2), dtype.numpy)
    box_muller(PairAlgebra(np, dtype), first, second, pairs)
    m = NumpyAlgebra(np, dtype)
    radius, angle = m.sqrt(m.log((first + 1) * 2**-24) * -2), second * (2 * math.pi * 2**-24)
    assert same_bits(pairs, np.stack([radius * m.cos(angle), radius * m.sin(angle)], 1))


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def test_integers():
    drawn = run("aten::randint.low_generator", -3, 4, [2000], Generator(seed=1))
    assert drawn.dtype == "int64" and set(drawn) == set(range(-3, 4))
    wide = run("aten::randint.low_generator", -(2**62), 2**62, [100], Generator(seed=1))
    assert wide.min() < -(2**60) and wide.max() > 2**60
    assert outcome_of(run, "aten::randint", 0, [2])[0] is RuntimeError
    assert sorted(run("aten::randperm", 50)) == list(range(50))


def test_bernoulli_and_in_place_draws():
    default_generator.manual_seed(0)
    kept = run("aten::bernoulli.p", np.ones(4000, "float32"), 0.25)
    assert set(np.unique(kept)) == {0, 1} and abs(kept.mean() - 0.25) < 0.03
    target = np.empty(1000, "float32")
    assert run("aten::uniform_", target, 2.0, 3.0) is target
    assert target.min() >= 2 and target.max() < 3
    assert abs(run("aten::normal_", np.empty(20_000, "float32"), 5.0, 0.5).mean() - 5) < 0.02
    assert run("aten::exponential_", np.empty(100, "float32")).min() >= 0
    assert outcome_of(run, "aten::uniform_", target, 3.0, 1.0)[0] is RuntimeError
    assert outcome_of(run, "aten::normal_", target, 0.0, -1.0)[0] is RuntimeError
    assert outcome_of(run, "aten::bernoulli", np.array([2.0]))[0] is RuntimeError


def test_dropout():
    x = np.ones((100, 50), "float32")
    assert run("aten::dropout", x, 0.5, False) is x
    default_generator.manual_seed(1)
    dropped = run("aten::dropout", x, 0.75, True)
    assert set(np.unique(dropped)) == {0, 4} and abs(dropped.mean() - 1) < 0.1
    assert not run("aten::dropout", x, 1.0, True).any()
    assert outcome_of(run, "aten::dropout", x, 1.5, True)[0] is RuntimeError
    columns = run("aten::feature_dropout", np.ones((4, 8, 3), "float32"), 0.5, True)
    assert ((columns == 0).all(2) | (columns == 2).all(2)).all()


def test_multinomial():
    default_generator.manual_seed(2)
    weights = np.array([[0.0, 1.0, 3.0]], "float32")
    drawn = run("aten::multinomial", weights, 4000, True)
    assert set(np.unique(drawn)) == {1, 2} and abs((drawn == 2).mean() - 0.75) < 0.03
    assert sorted(run("aten::multinomial", weights[0, 1:], 2)) == [0, 1]
    assert outcome_of(run, "aten::multinomial", np.zeros(3), 1)[0] is RuntimeError


def test_threads_never_share_numbers():
    generator = Generator(seed=4)
    drawn = []

    def work():
        drawn.extend(map(tuple, (generator.words(4) for _ in range(200))))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 800 and generator.offset == 800
