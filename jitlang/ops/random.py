"""Rows of random numbers: rand, randn, randint, bernoulli, in-place draws, dropout.

The numbers are those of `generator.py`. `dropout` keeps an element where its uniform is at least p.
It carries an alias mark that torch's schema lacks: without training it is its argument, in torch
too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..ir.opdef import Effect
from ..ir.types import TensorType
from .algebra import NumpyAlgebra
from .creation import check_sizes, creation_rule, dtype_of, keyword_dtype, like_rule, place
from .generator import (
    Generator,
    default_generator,
    integers,
    permutation,
    uniform,
)
from .normal import standard_normal
from .rows import op
from .rules import HIDDEN, made, same_type, tensor_at, written_type
from .strides import broadcast_shape, expand

# Draws into new tensors ---------------------------------------------------------------------------

_TAIL = "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None"
_LONG_TAIL = _TAIL.replace("dtype=None", "dtype=4", 1)
_LIKE_TAIL = f"{_TAIL}, MemoryFormat? memory_format=None"
Draw = Callable[[Any, Sequence[int], Any, "Generator | None"], Any]


def _refuse_integers(kind: Any) -> None:
    if kind.kind not in "fcV" and dtypes.from_numpy(kind).category < dtypes.Category.FLOATING:
        name = dtypes.from_numpy(kind).graph_name
        raise NotImplementedError(f"\"check_uniform_bounds\" not implemented for '{name}'")


def drawn_uniform(xp: Any, shape: Sequence[int], kind: Any, generator: Generator | None) -> Any:
    """Uniforms in [0, 1)."""
    _refuse_integers(kind)
    return uniform(xp, shape, generator).astype(kind, copy=False)


def drawn_normal(xp: Any, shape: Sequence[int], kind: Any, generator: Generator | None) -> Any:
    """Normals of mean 0 and deviation 1."""
    _refuse_integers(kind)
    if kind.kind == "c":
        wide = kind == dtypes.complex128.numpy
        parts = standard_normal(xp, (*shape, 2), generator, wide) * math.sqrt(0.5)
        return (parts[..., 0] + 1j * parts[..., 1]).astype(kind)
    return standard_normal(xp, shape, generator, kind == dtypes.float64.numpy).astype(
        kind, copy=False
    )


def _sized(draw: Draw, has_generator: bool) -> Any:
    def impl(xp: Any, size: Sequence[int], *rest: Any) -> Any:
        generator, dtype, _, device, _ = rest if has_generator else (None, *rest)
        check_sizes("rand", size)
        return draw(place(xp, device), size, dtype_of(dtype, dtypes.default_dtype()), generator)

    return impl


def _like(draw: Draw, has_generator: bool) -> Any:
    def impl(xp: Any, a: Any, *rest: Any) -> Any:
        generator, dtype, _, device, *_ = rest if has_generator else (None, *rest)
        kind = dtype_of(dtype, dtypes.from_numpy(a.dtype))
        return draw(place(xp, device), a.shape, kind, generator)

    return impl


_RANDOM: dict[str, Any] = {"effect": Effect.RANDOM, "method": None}
for _name, _draw in (("rand", drawn_uniform), ("randn", drawn_normal)):
    op(
        f"aten::{_name}(SymInt[] size, *, {_TAIL}) -> Tensor",
        impl=_sized(_draw, False),
        infer=creation_rule(0, 1),
        **_RANDOM,
    )
    op(
        f"aten::{_name}.generator(SymInt[] size, *, Generator? generator, {_TAIL}) -> Tensor",
        impl=_sized(_draw, True),
        infer=creation_rule(0, 2),
        **_RANDOM,
    )
    op(
        f"aten::{_name}_like(Tensor self, *, {_LIKE_TAIL}) -> Tensor",
        impl=_like(_draw, False),
        infer=like_rule(1),
        **_RANDOM,
    )
    op(
        f"aten::{_name}_like.generator(Tensor self, *, Generator? generator, {_LIKE_TAIL}) -> "
        "Tensor",
        impl=_like(_draw, True),
        infer=like_rule(2),
        **_RANDOM,
    )


def _check_bounds(kind: Any, low: int, high: int) -> None:
    """Refuse to draw integers that a dtype does not have.

    Raises:
        RuntimeError: the dtype is complex, or does not hold `low` or `high - 1`.
    """
    if kind.kind == "c":
        raise RuntimeError(
            "check_random_bounds handles only integral, floating-point and boolean types"
        )
    least, most = (0, 1) if kind.kind == "b" else (-(2**63), 2**63 - 1)
    if kind.kind in "iu":
        least, most = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    for name, number in (("from", low), ("to - 1", high - 1)):
        if not least <= number <= most:
            found = dtypes.from_numpy(kind).name
            raise RuntimeError(f"{name} is out of bounds for {found}")


def _randint(bounds: int, has_generator: bool) -> Any:
    def impl(xp: Any, *args: Any) -> Any:
        low, high = (0, args[0]) if bounds == 1 else args[:2]
        size, *rest = args[bounds:]
        generator, dtype, _, device, _ = rest if has_generator else (None, *rest)
        check_sizes("randint", size)
        kind = dtype_of(dtype, dtypes.int64)
        _check_bounds(kind, low, high)
        return integers(place(xp, device), low, high, size, generator).astype(kind, copy=False)

    return impl


def _randint_type(size: int, dtype: int) -> Any:
    return creation_rule(size, dtype, dtypes.int64)


for _bounds, _signature, _overload in (
    (1, "SymInt high", ""),
    (2, "SymInt low, SymInt high", "low"),
):
    _joint = "_" if _overload else ""
    op(
        f"aten::randint{'.' if _overload else ''}{_overload}({_signature}, SymInt[] size, *, "
        f"{_LONG_TAIL}) -> Tensor",
        impl=_randint(_bounds, False),
        infer=_randint_type(_bounds, _bounds + 1),
        **_RANDOM,
    )
    op(
        f"aten::randint.{_overload}{_joint}generator({_signature}, SymInt[] size, *, Generator? "
        f"generator, {_LONG_TAIL}) -> Tensor",
        impl=_randint(_bounds, True),
        infer=_randint_type(_bounds, _bounds + 2),
        **_RANDOM,
    )


def _randint_like(bounds: int) -> Any:
    def impl(xp: Any, a: Any, *args: Any) -> Any:
        low, high = (0, args[0]) if bounds == 1 else args[:2]
        dtype, _, device, *_ = args[bounds:]
        kind = dtype_of(dtype, dtypes.from_numpy(a.dtype))
        _check_bounds(kind, low, high)
        return integers(place(xp, device), low, high, a.shape, None).astype(kind)

    return impl


op(
    f"aten::randint_like(Tensor self, SymInt high, *, {_LIKE_TAIL}) -> Tensor",
    impl=_randint_like(1),
    infer=like_rule(2),
    **_RANDOM,
)
op(
    f"aten::randint_like.low_dtype(Tensor self, SymInt low, SymInt high, *, {_LIKE_TAIL}) -> "
    "Tensor",
    impl=_randint_like(2),
    infer=like_rule(3),
    **_RANDOM,
)


def _randperm(xp: Any, n: int, *rest: Any) -> Any:
    generator, dtype, _, device, _ = rest if len(rest) == 5 else (None, *rest)
    return permutation(place(xp, device), n, generator).astype(dtype_of(dtype, dtypes.int64))


def _randperm_type(dtype: int) -> Any:
    return lambda types, constants: TensorType(
        keyword_dtype(constants[dtype], dtypes.int64), (None,)
    )


op(
    f"aten::randperm(SymInt n, *, {_LONG_TAIL}) -> Tensor",
    impl=_randperm,
    infer=_randperm_type(1),
    **_RANDOM,
)
op(
    f"aten::randperm.generator(SymInt n, *, Generator? generator, {_LONG_TAIL}) -> Tensor",
    impl=_randperm,
    infer=_randperm_type(2),
    **_RANDOM,
)


# Draws that follow a tensor -----------------------------------------------------------------------


def _check_probability(p: Any) -> None:
    low, high = (p.min(), p.max()) if hasattr(p, "min") and p.size else (p, p)
    if (not hasattr(p, "size") and not 0 <= p <= 1) or (
        hasattr(p, "size") and p.size and not (low >= 0 and high <= 1)
    ):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")


def _bernoulli(xp: Any, a: Any, generator: Generator | None) -> Any:
    if a.dtype.kind in "iub":
        name = dtypes.from_numpy(a.dtype).graph_name
        raise NotImplementedError(f"\"bernoulli_tensor_cpu_p_\" not implemented for '{name}'")
    _check_probability(a)
    return (uniform(xp, a.shape, generator) < a).astype(a.dtype)


def bernoulli_by(xp: Any, a: Any, p: float, generator: Generator | None) -> Any:
    """Ones with probability p, else zeros, in the shape and dtype of an array."""
    _check_probability(p)
    return (uniform(xp, a.shape, generator) < np.float32(p)).astype(a.dtype)


def _bernoulli_into(xp: Any, a: Any, p: Any, generator: Generator | None) -> Any:
    _check_probability(p)
    limit = expand(xp, p, a.shape) if hasattr(p, "dtype") else np.float32(p)
    a[...] = uniform(xp, a.shape, generator) < limit
    return a


def _uniform_into(xp: Any, a: Any, low: float, high: float, generator: Generator | None) -> Any:
    _refuse_integers(a.dtype)
    if not low <= high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}"
        )
    for name, bound in (("from", low), ("to", high)):
        if math.isinf(bound):
            raise RuntimeError(f"{name} is out of bounds for {dtypes.from_numpy(a.dtype)}")
    wide = "float64" if a.dtype.itemsize == 8 else "float32"
    drawn = uniform(xp, a.shape, generator).astype(wide)
    scale, shift = drawn.dtype.type(high - low), drawn.dtype.type(low)
    a[...] = drawn * scale + shift
    return a


def _normal_into(xp: Any, a: Any, mean: float, std: float, generator: Generator | None) -> Any:
    _check_deviation(std)
    drawn = drawn_normal(
        xp, a.shape, a.dtype if a.dtype.itemsize > 2 else dtypes.float32.numpy, generator
    )
    a[...] = drawn * drawn.dtype.type(std) + drawn.dtype.type(mean)
    return a


def _check_deviation(std: Any) -> None:
    """Refuse standard deviations that are negative, NaN or complex.

    Raises:
        RuntimeError: so it is.
    """
    if not hasattr(std, "dtype"):
        if not std >= 0:
            raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
        return
    if std.dtype.kind == "c":
        raise RuntimeError("normal expects standard deviation to be non-complex")
    if not (std >= 0).all():
        raise RuntimeError("normal expects all elements of std >= 0.0")


def _normal(xp: Any, mean: Any, std: Any, generator: Generator | None) -> Any:
    parts = [p for p in (mean, std) if hasattr(p, "dtype")]
    _refuse_integers(parts[0].dtype)
    _check_deviation(std)
    shape = broadcast_shape(xp, parts)
    drawn = standard_normal(xp, shape, generator, parts[0].dtype == dtypes.float64.numpy)
    return (drawn * std + mean).astype(parts[0].dtype)


def _normal_sized(
    xp: Any, mean: float, std: float, size: Any, generator: Any, dtype: Any, *rest: Any
) -> Any:
    made = xp.empty(tuple(size), dtype_of(dtype, dtypes.default_dtype()))
    return _normal_into(xp, made, mean, std, generator)


def _exponential_into(xp: Any, a: Any, rate: float, generator: Generator | None) -> Any:
    if dtypes.from_numpy(a.dtype).category is not dtypes.Category.FLOATING:
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {dtypes.from_numpy(a.dtype).graph_name}"
        )
    if not rate > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
    m: Any = NumpyAlgebra(xp, dtypes.float32)
    a[...] = m.log(np.float32(1) - uniform(xp, a.shape, generator)) * np.float32(-1 / rate)
    return a


def _random_into(low: Callable[..., tuple[int, int | None]]) -> Any:
    def impl(xp: Any, a: Any, *args: Any) -> Any:
        *bounds, generator = args
        first, last = low(*bounds)
        last = _highest(a) if last is None else last
        _check_bounds(a.dtype, first, last)
        a[...] = integers(xp, first, last, a.shape, generator)
        return a

    return impl


def _highest(a: Any) -> int:
    """One past the largest integer that a dtype holds exactly."""
    if a.dtype.kind in "iu":
        return int(np.iinfo(a.dtype).max) + 1
    exact = {"bool": 2, "float16": 2**11 + 1, "bfloat16": 2**8 + 1, "float32": 2**24 + 1}
    return exact.get(a.dtype.name, 2**53 + 1)


_INTO: dict[str, Any] = {"effect": Effect.RANDOM, "function": None, "infer": written_type}
_GENERATOR = "Generator? generator=None"
op(
    f"aten::bernoulli(Tensor self, *, {_GENERATOR}) -> Tensor",
    impl=_bernoulli,
    infer=same_type,
    effect=Effect.RANDOM,
)
op(
    f"aten::bernoulli.p(Tensor self, float p, *, {_GENERATOR}) -> Tensor",
    impl=bernoulli_by,
    infer=same_type,
    effect=Effect.RANDOM,
)
op(
    f"aten::bernoulli_.Tensor(Tensor(a!) self, Tensor p, *, {_GENERATOR}) -> Tensor(a!)",
    impl=_bernoulli_into,
    **_INTO,
)
op(
    f"aten::bernoulli_.float(Tensor(a!) self, float p=0.5, *, {_GENERATOR}) -> Tensor(a!)",
    impl=_bernoulli_into,
    **_INTO,
)
op(
    f"aten::uniform_(Tensor(a!) self, float from=0., float to=1., *, {_GENERATOR}) -> Tensor(a!)",
    impl=_uniform_into,
    **_INTO,
)
op(
    f"aten::normal_(Tensor(a!) self, float mean=0., float std=1., *, {_GENERATOR}) -> Tensor(a!)",
    impl=_normal_into,
    **_INTO,
)
op(
    f"aten::exponential_(Tensor(a!) self, float lambd=1., *, {_GENERATOR}) -> Tensor(a!)",
    impl=_exponential_into,
    **_INTO,
)
op(
    f"aten::random_.from(Tensor(a!) self, int from, int? to, *, {_GENERATOR}) -> Tensor(a!)",
    impl=_random_into(lambda low, high: (low, high)),
    **_INTO,
)
op(
    f"aten::random_.to(Tensor(a!) self, int to, *, {_GENERATOR}) -> Tensor(a!)",
    impl=_random_into(lambda high: (0, high)),
    **_INTO,
)
op(
    f"aten::random_(Tensor(a!) self, *, {_GENERATOR}) -> Tensor(a!)",
    impl=_random_into(lambda: (0, None)),
    **_INTO,
)
op(
    f"aten::normal.Tensor_float(Tensor mean, float std=1., *, {_GENERATOR}) -> Tensor",
    impl=_normal,
    **_RANDOM,
)
op(
    f"aten::normal.float_Tensor(float mean, Tensor std, *, {_GENERATOR}) -> Tensor",
    impl=_normal,
    **_RANDOM,
)
op(
    f"aten::normal.Tensor_Tensor(Tensor mean, Tensor std, *, {_GENERATOR}) -> Tensor",
    impl=_normal,
    **_RANDOM,
)
op(
    f"aten::normal.float_float(float mean, float std, SymInt[] size, *, {_GENERATOR}, {_TAIL}) -> "
    "Tensor",
    impl=_normal_sized,
    infer=creation_rule(2, 4),
    **_RANDOM,
)


def _multinomial(
    xp: Any, a: Any, samples: int, replacement: bool, generator: Generator | None
) -> Any:
    if not 1 <= a.ndim <= 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if a.dtype.kind in "iubc":
        raise RuntimeError(
            "multinomial only supports floating-point dtypes for input, got: "
            f"{dtypes.from_numpy(a.dtype).graph_name}"
        )
    if samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not a.size:
        raise RuntimeError("cannot sample from no categories")
    rows = a.reshape((-1, a.shape[-1])).astype("float64")
    if not (rows >= 0).all() or not xp.isfinite(rows).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not (rows.sum(1) > 0).all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if not replacement and samples > rows.shape[1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if replacement:
        edges = xp.cumsum(rows, 1)
        drawn = uniform(xp, (rows.shape[0], samples), generator) * edges[:, -1:]
        found = (drawn[:, :, None] >= edges[:, None, :]).sum(2)
        found = xp.minimum(found, rows.shape[1] - 1)
    else:
        # The k largest of p / Exponential(1) are k draws without replacement.
        waiting = -xp.log1p(-uniform(xp, rows.shape, generator).astype("float64"))
        found = xp.argsort(-rows / xp.maximum(waiting, 1e-300), 1, kind="stable")[:, :samples]
    return found.reshape((*a.shape[:-1], samples)).astype("int64")


op(
    f"aten::multinomial(Tensor self, SymInt num_samples, bool replacement=False, *, {_GENERATOR}) "
    "-> Tensor",
    impl=_multinomial,
    effect=Effect.RANDOM,
    infer=lambda types, constants: made(tensor_at(types), None, dtypes.int64),
)


# Dropout ------------------------------------------------------------------------------------------


def is_dropping(p: float, train: bool) -> bool:
    """Whether there is anything to drop.

    Raises:
        RuntimeError: `p` is no probability.
    """
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")
    return train and p > 0


def dropped(
    xp: Any, a: Any, p: float, shape: Sequence[int], generator: Generator | None = None
) -> Any:
    """Elements kept with probability 1 - p and scaled up, the others zero."""
    if p == 1:
        return a * a.dtype.type(0)
    if a.dtype.kind in "iub":
        raise RuntimeError("result type Float can't be cast to the desired output type Long")
    kept = uniform(xp, shape, generator) >= np.float32(p)
    wide = "float32" if a.dtype.itemsize == 2 else a.dtype
    scale = kept.astype(wide) * np.dtype(wide).type(1 / (1 - p))
    return (a * scale).astype(a.dtype, copy=False)


def _dropout(xp: Any, a: Any, p: float, train: bool) -> Any:
    return dropped(xp, a, p, a.shape) if is_dropping(p, train) else a


def _dropout_into(xp: Any, a: Any, p: float, train: bool) -> Any:
    if is_dropping(p, train):
        a[...] = dropped(xp, a, p, a.shape)
    return a


op(
    "aten::dropout(Tensor(a) input, float p, bool train) -> Tensor(a)",
    impl=_dropout,
    infer=same_type,
    effect=Effect.RANDOM,
    method=None,
)
op(
    "aten::dropout_(Tensor(a!) self, float p, bool train) -> Tensor(a!)",
    impl=_dropout_into,
    infer=written_type,
    effect=Effect.RANDOM,
    method=None,
)


# The state ----------------------------------------------------------------------------------------


def _seed_default(xp: Any, seed: int) -> None:
    default_generator.manual_seed(seed)


op("aten::manual_seed(int seed) -> ()", impl=_seed_default, effect=Effect.IO, **HIDDEN)
op(
    "aten::manual_seed.generator(Generator(a!) self, int seed) -> Generator(a!)",
    impl=lambda xp, generator, seed: generator.manual_seed(seed),
    effect=Effect.IO,
    **HIDDEN,
)
op(
    "aten::initial_seed(Generator self) -> int",
    impl=lambda xp, generator: generator.initial_seed(),
    **HIDDEN,
)
op(
    "aten::seed(Generator(a!) self) -> int",
    impl=lambda xp, generator: generator.seed(),
    effect=Effect.IO,
    **HIDDEN,
)
