"""Arguments that fit, for rows that refuse nearly all that are made from types alone.

`fitted` gives some arguments of a row by name: matrices that are square, lists of weights that
belong together, sizes that match. The tests of the whole table fill in the rest.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitlang.ir.opdef import OpDef

Named = dict[str, Any]


@dataclass
class Maker:
    """Where random arguments come from: one call's choices."""

    op: OpDef
    random: random.Random
    numpy: np.random.Generator
    dtype: str = "float32"

    def normal(self, *shape: int) -> np.ndarray:
        """Standard normal numbers in the call's dtype."""
        made = self.numpy.standard_normal(shape)
        if self.dtype.startswith("complex"):
            made = made + 1j * self.numpy.standard_normal(shape)
        return np.asarray(made).astype(self.dtype)

    def pick(self, *choices: Any) -> Any:
        """One of several."""
        return self.random.choice(choices)

    @property
    def first(self) -> str:
        """The name of the first argument."""
        return self.op.schema.arguments[0].name


def fitted(op: OpDef, chosen: random.Random, numpy: np.random.Generator) -> Named:
    """Arguments of a row that go together, by name; none for rows that random ones do for."""
    make = FITTED.get(op.name.partition("::")[2])
    if make is None or "Tensor" not in op.schema_text:  # of numbers
        return {}
    return make(Maker(op, chosen, numpy))


FITTED: dict[str, Callable[[Maker], Named]] = {}


def fits(*names: str) -> Callable[[Callable[[Maker], Named]], Callable[[Maker], Named]]:
    """Enter a function into `FITTED` for rows of these names."""

    def enter(function: Callable[[Maker], Named]) -> Callable[[Maker], Named]:
        FITTED.update(dict.fromkeys(names, function))
        return function

    return enter


# Matrices -----------------------------------------------------------------------------------------


def _batch(make: Maker) -> tuple[int, ...]:
    return make.pick((), (), (2,), (0,), (2, 1))


def _any_linalg_dtype(make: Maker) -> None:
    make.dtype = make.pick("float32", "float64", "float64", "complex64", "complex128")


def _square(make: Maker) -> np.ndarray:
    """Well-conditioned square matrices, and a singular one now and then."""
    n = make.pick(1, 2, 3, 3, 4, 0)
    made = make.normal(*_batch(make), n, n) + np.eye(n, dtype=make.dtype) * make.pick(0, 2, 3)
    return made * 0 if make.random.random() < 0.05 else made


@fits(
    "inverse", "linalg_inv", "det", "linalg_det", "slogdet", "linalg_slogdet", "logdet",
    "matrix_exp", "linalg_matrix_exp", "linalg_eig", "linalg_eigvals",
)  # fmt: skip
def _of_square(make: Maker) -> Named:
    _any_linalg_dtype(make)
    return {make.first: _square(make)}


@fits("linalg_cond")
def _condition(make: Maker) -> Named:
    is_text = make.op.overload == "p_str"
    orders = ("fro", "nuc", "fro", "max") if is_text else (None, 1, -1, 2, -2, float("inf"))
    return {**_of_square(make), "p": make.pick(*orders)}


@fits("matrix_power", "linalg_matrix_power")
def _powers(make: Maker) -> Named:
    _any_linalg_dtype(make)
    return {"self": _square(make), "n": make.pick(0, 1, 2, 3, 5, -1, -2)}


def _hermitian(make: Maker) -> np.ndarray:
    a = _square(make)
    return a + np.conj(a.swapaxes(-1, -2))


@fits("linalg_cholesky", "cholesky")
def _positive(make: Maker) -> Named:
    _any_linalg_dtype(make)
    a = _square(make)
    return {"self": a @ np.conj(a.swapaxes(-1, -2)) + np.eye(a.shape[-1], dtype=make.dtype)}


@fits("cholesky_inverse", "cholesky_solve")
def _of_factor(make: Maker) -> Named:
    upper = make.pick(True, False)
    a = _square(make) + 2 * np.eye(4, dtype=make.dtype)[0, 0]
    factor = np.triu(a) if upper else np.tril(a)
    factor = factor + np.eye(a.shape[-1], dtype=make.dtype) * 3
    if "input2" not in [argument.name for argument in make.op.schema.arguments]:
        return {"self": factor, "upper": upper}
    return {"self": make.normal(*a.shape[:-1], 2), "input2": factor, "upper": upper}


@fits("linalg_eigh", "linalg_eigvalsh")
def _of_hermitian(make: Maker) -> Named:
    _any_linalg_dtype(make)
    return {"self": _hermitian(make), "UPLO": make.pick("L", "U", "l")}


def _rectangle(make: Maker) -> np.ndarray:
    return make.normal(*_batch(make), make.pick(1, 2, 3, 4), make.pick(1, 2, 3, 3))


@fits("linalg_qr")
def _qr(make: Maker) -> Named:
    _any_linalg_dtype(make)
    return {"A": _rectangle(make), "mode": make.pick("reduced", "complete", "r", "other")}


@fits("qr", "linalg_svd", "svd", "linalg_svdvals")
def _of_rectangle(make: Maker) -> Named:
    _any_linalg_dtype(make)
    driver = {"driver": None} if make.op.schema.index_of("driver") is not None else {}
    return {make.first: _rectangle(make), **driver}


@fits("linalg_pinv", "pinverse", "linalg_matrix_rank")
def _of_tolerances(make: Maker) -> Named:
    _any_linalg_dtype(make)
    hermitian = make.pick(True, False, False)
    given: Named = {make.first: _hermitian(make) if hermitian else _rectangle(make)}
    for name, choices in (
        ("rcond", (1e-6, 0.3, 0.0)), ("tol", (1e-6, 0.3)), ("atol", (None, 1e-3, 0.5)),
        ("rtol", (None, 1e-6, 0.4)), ("hermitian", (hermitian,)),
    ):  # fmt: skip
        if make.op.schema.index_of(name) is not None:
            given[name] = make.pick(*choices)
    return given


@fits("linalg_solve", "linalg_solve_triangular")
def _equations(make: Maker) -> Named:
    _any_linalg_dtype(make)
    a = _square(make)
    n, left = a.shape[-1], make.pick(True, True, False)
    if make.op.name.endswith("triangular"):
        a = a + 3 * np.eye(n, dtype=make.dtype)
    matrices = (*a.shape[:-2], n, 2) if left else (*a.shape[:-2], 2, n)
    vectors = make.op.name.endswith("solve") and left and make.random.random() < 0.3
    right = make.normal(*(a.shape[:-1] if vectors else matrices))
    return {make.first: a, "B": right, "left": left}


@fits("linalg_lstsq")
def _least_squares(make: Maker) -> Named:
    a = _rectangle(make)
    right = make.normal(*a.shape[:-1], 2)
    return {"self": a, "b": right, "rcond": None, "driver": make.pick("gels", "gelsd", None)}


@fits("linalg_norm", "linalg_matrix_norm", "nuclear_norm", "frobenius_norm")
def _norms(make: Maker) -> Named:
    _any_linalg_dtype(make)
    given: Named = {"self": _rectangle(make)}
    numbers = (1, -1, 2, -2, float("inf"), float("-inf"), 3, 0.5)
    is_text = make.op.overload in ("str_ord", "ord_str")
    if make.op.schema.index_of("ord") is not None:
        given["ord"] = make.pick("fro", "nuc", "max") if is_text else make.pick(*numbers)
    if make.op.schema.index_of("dim") is not None and make.random.random() < 0.8:
        given["dim"] = make.pick([0, 1], [-2, -1], [-1, 0])
    if make.op.schema.index_of("dtype") is not None:
        given["dtype"] = None
    return given


@fits("linalg_multi_dot", "chain_matmul")
def _chain(make: Maker) -> Named:
    sizes = [make.pick(1, 2, 3, 4, 5) for _ in range(make.pick(3, 4, 5))]
    tensors = [make.normal(m, n) for m, n in zip(sizes[:-1], sizes[1:], strict=True)]
    if make.op.name.endswith("multi_dot") and make.random.random() < 0.3:
        tensors[0] = tensors[0][0]
    if make.op.name.endswith("multi_dot") and make.random.random() < 0.3:
        tensors[-1] = tensors[-1][:, 0]
    return {make.first: tensors}


# Recurrent networks -------------------------------------------------------------------------------


def _weights(make: Maker, gates: int, size: int, hidden: int, biased: bool) -> list[np.ndarray]:
    shapes = [(gates * hidden, size), (gates * hidden, hidden)]
    shapes += [(gates * hidden,)] * 2 if biased else []
    return [make.normal(*shape) * np.asarray(0.5, make.dtype) for shape in shapes]


_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


@fits(*_GATES)
def _recurrent(make: Maker) -> Named:
    name = make.op.name.partition("::")[2]
    make.dtype = make.pick("float32", "float64")
    size, hidden, layers, batch = (make.pick(1, 2, 3) for _ in range(4))
    both, biased, batch_first = (make.pick(True, False) for _ in range(3))
    projected = make.pick(0, 0, hidden + 1) if name == "lstm" else 0
    directions = 2 if both else 1
    output = projected or hidden
    params = []
    for layer in range(layers):
        for _ in range(directions):
            given = size if layer == 0 else output * directions
            weights = _weights(make, _GATES[name], given, hidden, biased)
            weights[1] = make.normal(_GATES[name] * hidden, output)
            params += [*weights, *([make.normal(output, hidden)] if projected else [])]
    states = [make.normal(layers * directions, batch, output)]
    states += [make.normal(layers * directions, batch, hidden)] if name == "lstm" else []
    given: Named = {
        "hx": states if name == "lstm" else states[0], "params": params, "has_biases": biased,
        "num_layers": layers, "dropout": 0.0, "train": make.pick(True, False),
        "bidirectional": both,
    }  # fmt: skip
    if make.op.overload == "data":
        sizes = sorted((make.pick(*range(1, batch + 1)) for _ in range(3)), reverse=True)
        sizes[0] = batch
        packed = {"data": make.normal(sum(sizes), size), "batch_sizes": np.array(sizes, "int64")}
        return {**given, **packed}
    shape = (batch, 4, size) if batch_first else (4, batch, size)
    return {**given, "input": make.normal(*shape), "batch_first": batch_first}


@fits(*(f"{name}_cell" for name in _GATES))
def _cell(make: Maker) -> Named:
    name = make.op.name.partition("::")[2].removesuffix("_cell")
    make.dtype = make.pick("float32", "float64")
    size, hidden, batch = (make.pick(1, 2, 3) for _ in range(3))
    weights = _weights(make, _GATES[name], size, hidden, True)
    states = [make.normal(batch, hidden) for _ in range(2)]
    biases = weights[2:] if make.pick(True, False) else [None, None]
    return {
        "input": make.normal(batch, size), "hx": states if name == "lstm" else states[0],
        "w_ih": weights[0], "w_hh": weights[1], "b_ih": biases[0], "b_hh": biases[1],
    }  # fmt: skip


# Images -------------------------------------------------------------------------------------------


def _image(make: Maker, rank: int) -> np.ndarray:
    shape = (make.pick(1, 2), make.pick(1, 2, 3), *(make.pick(1, 2, 3, 5) for _ in range(rank)))
    return make.normal(*shape)


def _scales(make: Maker, image: np.ndarray, sizes: list[int]) -> list[float | None]:
    """Scales of any value; torch's antialiasing reads past images that they contradict."""
    if make.op.name.endswith("_aa"):
        ratios = [out / n for out, n in zip(sizes, image.shape[2:], strict=True)]
        return [make.pick(None, ratio) for ratio in ratios]
    return [make.pick(None, None, 0.5, 2.0, 1.3) for _ in sizes]


def _resizes(names: tuple[str, ...], rank: int) -> None:
    @fits(*names)
    def resize(make: Maker) -> Named:
        make.dtype = make.pick("float32", "float32", "float64", "float16")
        image = _image(make, rank)
        sizes = [make.pick(n, 2 * n, 3 * n, 1, 2, 7) for n in image.shape[2:]]
        given: Named = {make.first: image, "output_size": sizes}
        arguments = [argument.name for argument in make.op.schema.arguments]
        if "scale_factors" not in arguments:
            scales = [n for n in arguments if n.startswith("scales")]
            return {**given, **dict(zip(scales, _scales(make, image, sizes), strict=True))}
        factors = [make.pick(1.0, 2.0, 0.5, 1.7, 3.0) for _ in range(rank)]
        by_size = make.pick(True, False)
        return {
            **given,
            "output_size": sizes if by_size else None,
            "scale_factors": None if by_size else factors,
        }


_resizes(("upsample_nearest1d", "_upsample_nearest_exact1d", "upsample_linear1d"), 1)
_resizes(
    (
        "upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d",
        "upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
        "_upsample_lanczos2d_aa",
    ),
    2,
)  # fmt: skip
_resizes(("upsample_nearest3d", "_upsample_nearest_exact3d", "upsample_trilinear3d"), 3)


@fits("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def _grids(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    name = make.op.name.partition("::")[2]
    rank = {"grid_sampler_2d": 2, "grid_sampler_3d": 3}.get(name) or make.pick(2, 2, 3)
    image = _image(make, rank)
    places = tuple(make.pick(1, 2, 4) for _ in range(rank))
    return {
        "input": image, "grid": make.normal(len(image), *places, rank),
        "interpolation_mode": make.pick(0, 1, 2, 0), "padding_mode": make.pick(0, 1, 2),
    }  # fmt: skip


@fits("affine_grid_generator")
def _affine(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    rank = make.pick(2, 3)
    size = [make.pick(1, 2), 3, *(make.pick(1, 2, 3) for _ in range(rank))]
    return {"theta": make.normal(size[0], rank, rank + 1), "size": size}


@fits("pixel_shuffle", "pixel_unshuffle")
def _pixels(make: Maker) -> Named:
    factor, names = make.pick(1, 2, 3), [a.name for a in make.op.schema.arguments]
    grows = "upscale_factor" in names
    channels, scale = (2 * factor * factor, 1) if grows else (2, factor)
    batch = make.pick((), (2,), (0,), (1, 2))
    return {"self": make.normal(*batch, channels, 2 * scale, 3 * scale), names[1]: factor}


@fits("channel_shuffle", "native_channel_shuffle")
def _channels(make: Maker) -> Named:
    return {"self": make.normal(make.pick(1, 2), 6, 2, 3), "groups": make.pick(1, 2, 3, 6, 4)}


@fits("im2col", "col2im")
def _windows(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "complex64")
    given = {
        "kernel_size": [make.pick(1, 2, 3), make.pick(1, 2)],
        "dilation": [make.pick(1, 1, 2), make.pick(1, 2)],
        "padding": [make.pick(0, 1), make.pick(0, 1, 2)],
        "stride": [make.pick(1, 2), make.pick(1, 2, 3)],
    }
    sizes = [make.pick(3, 5), make.pick(3, 4)]
    batch = make.pick((), (1,), (2,))
    if make.op.name.endswith("im2col"):
        return {**given, "self": make.normal(*batch, 2, *sizes)}
    counts = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(sizes, *given.values(), strict=True)
    ]
    area = given["kernel_size"][0] * given["kernel_size"][1]
    columns = make.normal(*batch, 2 * area, max(counts[0] * counts[1], 1))
    return {**given, "self": columns, "output_size": sizes}


# Searching ----------------------------------------------------------------------------------------


@fits("searchsorted", "bucketize")
def _sorted_rows(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "int64", "int32")
    is_bucketize = make.op.name.endswith("bucketize")
    batch = () if is_bucketize or make.op.overload == "Scalar" else make.pick((), (2,))
    rows = np.sort((make.normal(*batch, make.pick(0, 1, 4, 5)) * 3).astype(make.dtype), -1)
    values = (make.numpy.standard_normal((*batch, make.pick(1, 3))) * 3).astype(make.dtype)
    given: Named = {"boundaries" if is_bucketize else "sorted_sequence": rows}
    if make.op.overload == "Tensor":
        given["self"] = values
    if not is_bucketize:
        sorter = np.argsort(rows, -1).astype("int64")
        given |= {"side": make.pick(None, None, "left", "right"), "sorter": make.pick(None, sorter)}
    return given


@fits("quantile", "nanquantile")
def _quantiles(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    a = make.normal(*make.pick((3,), (2, 4), (2, 3, 4)))
    if make.pick(True, False, False):
        a[..., 0] = np.nan
    q: Any = make.pick(0.0, 0.25, 0.5, 0.7, 1.0)
    if make.op.overload == "":
        q = np.asarray(make.pick(q, [0.1, 0.5], [q])).astype(make.dtype)
    how = make.pick("linear", "linear", "lower", "higher", "midpoint", "nearest", "other")
    return {"self": a, "q": q, "interpolation": how}


@fits("cov")
def _observations(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "complex64")
    counts = make.numpy.integers(1, 4, 5)
    shares = abs(make.numpy.standard_normal(5)).astype("float64")
    return {
        "self": make.normal(*make.pick((3, 5), (5,), (1, 5))), "correction": make.pick(0, 1, 2),
        "fweights": make.pick(None, counts), "aweights": make.pick(None, shares),
    }  # fmt: skip


# Distances ----------------------------------------------------------------------------------------


@fits("cdist")
def _pairs(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    n, batch = make.pick(1, 2, 3, 0), make.pick((), (2,), (1, 2))
    p = make.pick(0.0, 1.0, 2.0, 2.0, 3.0, float("inf"))
    first, second = make.normal(*batch, 3, n), make.normal(*batch, make.pick(1, 2, 0), n)
    return {"x1": first, "x2": second, "p": p}


@fits("pdist")
def _own_pairs(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    p = make.pick(0.0, 1.0, 2.0, 3.0, float("inf"))
    return {"self": make.normal(make.pick(0, 1, 3, 4), make.pick(0, 1, 3)), "p": p}


@fits("pairwise_distance", "cosine_similarity")
def _rows(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    shape = make.pick((3,), (2, 3), (2, 3, 4))
    given: Named = {"x1": make.normal(*shape), "x2": make.normal(*make.pick(shape, shape[-1:]))}
    if make.op.schema.index_of("p") is not None:
        return {**given, "p": make.pick(1.0, 2.0, 3.0, 0.0)}
    return {**given, "dim": make.pick(-1, 0, 1)}


def _signs(make: Maker, *shape: int) -> np.ndarray:
    return (make.numpy.integers(0, 2, shape) * 2 - 1).astype(make.pick("int64", make.dtype))


@fits("cosine_embedding_loss")
def _embeddings(make: Maker) -> Named:
    batch = make.pick((), (3,))
    return {
        "input1": make.normal(*batch, 4), "input2": make.normal(*batch, 4),
        "target": _signs(make, *batch), "margin": make.pick(0.0, 0.5),
    }  # fmt: skip


@fits("triplet_margin_loss")
def _triplets(make: Maker) -> Named:
    shape = make.pick((3,), (2, 3))
    names = ("anchor", "positive", "negative")
    return {name: make.normal(*shape) for name in names} | {"p": make.pick(1.0, 2.0, 3.0)}


@fits("hinge_embedding_loss")
def _hinges(make: Maker) -> Named:
    shape = make.pick((3,), (2, 3))
    return {"self": make.normal(*shape), "target": _signs(make, *shape)}


@fits("multi_margin_loss", "multilabel_margin_loss")
def _margins(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    batch = make.pick((), (3,))
    a = make.normal(*batch, 4)
    if make.op.name.endswith("label_margin_loss"):
        target = make.numpy.integers(0, 4, a.shape)
        target[..., make.pick(0, 1, 2, 3)] = -1
        return {"self": a, "target": target}
    weight = make.pick(None, abs(make.normal(4)))
    target = np.asarray(make.numpy.integers(0, 4, batch))
    return {"self": a, "target": target, "p": make.pick(1, 2), "weight": weight}


@fits("ctc_loss")
def _alignments(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    steps, batch, classes = make.pick(3, 6), make.pick(1, 2), 4
    logits = make.normal(steps, batch, classes)
    certain = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = [make.pick(0, 1, 2, 3) for _ in range(batch)]
    rows = make.numpy.integers(1, classes, (batch, 3))
    joined = np.concatenate([row[:n] for row, n in zip(rows, wanted, strict=True)])
    long = [make.pick(steps, steps, steps - 1) for _ in range(batch)]
    lengths: list[Any] = [long, wanted]
    if make.op.overload == "Tensor":
        lengths = [np.array(n, "int64") for n in lengths]
    return {
        "log_probs": certain.astype(make.dtype), "targets": make.pick(rows, joined), "blank": 0,
        "input_lengths": lengths[0], "target_lengths": lengths[1],
    }  # fmt: skip


# Products with a bias -----------------------------------------------------------------------------


@fits(
    *(
        f"{name}{end}"
        for name in ("addmm", "addmv", "addr", "addbmm", "baddbmm")
        for end in ("", "_")
    )
)
def _affine_products(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "int64", "complex64")
    name = make.op.name.partition("::")[2]
    is_written = name.endswith("_")
    n, k, m, b = (make.pick(1, 2, 3) for _ in range(4))
    shapes = {
        "addmm": ((n, m), (n, k), (k, m)),
        "addmv": ((n,), (n, k), (k,)),
        "addr": ((n, m), (n,), (m,)),
        "addbmm": ((n, m), (b, n, k), (b, k, m)),
        "baddbmm": ((b, n, m), (b, n, k), (b, k, m)),
    }[name.rstrip("_")]
    bias = shapes[0] if is_written else make.pick(shapes[0], shapes[0][-1:], ())
    names = [argument.name for argument in make.op.schema.arguments[:3]]
    arrays = [make.normal(*shape) for shape in (bias, *shapes[1:])]
    factors = {"beta": make.pick(1, 2, 0), "alpha": make.pick(1, 3, -1)}
    return dict(zip(names, arrays, strict=True)) | factors


# Complex numbers ----------------------------------------------------------------------------------


@fits("view_as_real", "imag")
def _complex_operand(make: Maker) -> Named:
    make.dtype = make.pick("complex64", "complex128")
    return {"self": make.normal(*make.pick((), (3,), (2, 3)))}


@fits("view_as_complex")
def _pairs_of_floats(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "float32", "int64")
    return {"self": make.normal(*make.pick((), (3,), (2, 3)), make.pick(2, 2, 2, 3))}


@fits("complex", "polar")
def _parts(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    first, second = (argument.name for argument in make.op.schema.arguments)
    shape = make.pick((), (3,), (2, 3))
    return {first: make.normal(*shape), second: make.normal(*make.pick(shape, shape[-1:]))}


# Elementwise --------------------------------------------------------------------------------------


@fits("gcd", "lcm", "gcd_", "lcm_")
def _integers(make: Maker) -> Named:
    dtype = make.pick("int64", "int32", "int8", "uint8", "int16")
    low = 0 if dtype == "uint8" else -20
    shape = make.pick((), (3,), (2, 3))
    first, second = (make.numpy.integers(low, 20, s).astype(dtype) for s in (shape, shape))
    return {"self": first, "other": second}


@fits("polygamma", "special_polygamma")
def _orders(make: Maker) -> Named:
    return {"n": make.pick(0, 1, 2, 3, 4, 7, -1)}


@fits("nextafter", "nextafter_", "logaddexp2")
def _floats(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    shape = make.pick((3,), (2, 3))
    return {"self": make.normal(*shape), "other": make.normal(*shape)}


# Padding and assembling ---------------------------------------------------------------------------


@fits(*(f"{kind}_pad{rank}d" for kind in ("reflection", "replication") for rank in (1, 2, 3)))
def _image_paddings(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "complex64")
    rank = int(make.op.name[-2])
    shape = (2, *(make.pick(3, 4) for _ in range(rank)))
    padding = [make.pick(0, 1, 2, -1) for _ in range(2 * rank)]
    return {"self": make.normal(*make.pick((), (2,)), *shape), "padding": padding}


@fits("_pad_circular", "_pad_enum")
def _paddings(make: Maker) -> Named:
    given: Named = {"self": make.normal(1, 2, 3, 4), "pad": [make.pick(0, 1, 2) for _ in range(4)]}
    if make.op.name.endswith("enum"):
        given |= {"mode": make.pick(0, 1, 2, 3, 4), "value": make.pick(None, None, 1.5)}
    return given


@fits("select_scatter", "slice_scatter", "diagonal_scatter")
def _replaced(make: Maker) -> Named:
    a = make.normal(3, 4, 5)
    if make.op.name.endswith("select_scatter"):
        dim = make.pick(0, 1, 2, -1)
        return {"self": a, "src": a.take(0, dim) * 2, "dim": dim, "index": make.pick(0, 1, -1, 7)}
    if make.op.name.endswith("slice_scatter"):
        part = make.normal(3, 2, 5)
        return {"self": a, "src": part, "dim": 1, "start": make.pick(0, 1), "end": 3, "step": 1}
    part = make.normal(5, 3)
    return {"self": a, "src": part, "offset": make.pick(0, 1), "dim1": 0, "dim2": 1}


@fits("cartesian_prod", "block_diag", "column_stack", "row_stack", "pad_sequence")
def _several(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "int64")
    name = make.op.name.partition("::")[2]
    shapes: tuple[tuple[int, ...], ...] = {
        "cartesian_prod": ((), (1,), (3,), (0,)),
        "block_diag": ((), (2,), (2, 3), (1, 1)),
        "column_stack": ((3,), (3, 2), (3, 1)),
        "row_stack": ((3,), (2, 3), (1, 3)),
        "pad_sequence": ((1, 2), (3, 2), (4, 2)),
    }[name]
    count = make.pick(1, 2, 3)
    return {make.first: [make.normal(*make.pick(*shapes)) for _ in range(count)]}


@fits("_pack_padded_sequence")
def _padded(make: Maker) -> Named:
    batch, steps = make.pick(1, 2, 3), 4
    lengths = sorted((make.pick(1, 2, 3, 4) for _ in range(batch)), reverse=True)
    batch_first = make.pick(True, False)
    a = make.normal(*((batch, steps) if batch_first else (steps, batch)), 2)
    return {"input": a, "lengths": np.array(lengths, "int64"), "batch_first": batch_first}


@fits("_pad_packed_sequence")
def _packed(make: Maker) -> Named:
    counts = sorted((make.pick(1, 2, 3) for _ in range(make.pick(1, 3))), reverse=True)
    return {
        "data": make.normal(sum(counts), 2), "batch_sizes": np.array(counts, "int64"),
        "total_length": make.pick(-1, 0, 5),
    }  # fmt: skip


@fits("bilinear")
def _forms(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    batch = make.pick((), (2,), (2, 3))
    return {
        "input1": make.normal(*batch, 3), "input2": make.normal(*batch, 4),
        "weight": make.normal(2, 3, 4), "bias": make.pick(None, make.normal(2)),
    }  # fmt: skip


@fits("fill_diagonal_", "trace")
def _of_matrices(make: Maker) -> Named:
    return {"self": make.normal(*make.pick((3, 3), (2, 4), (5, 2), (7, 2), (2, 2, 2)))}


# Transformers -------------------------------------------------------------------------------------


def _a_mask(make: Maker, batch: int, heads: int, steps: int) -> Named:
    kind = make.pick(None, 0, 1, 2)
    shapes = {0: (steps, steps), 1: (batch, steps), 2: (batch, heads, steps, steps)}
    if kind is None:
        return {"mask": None, "mask_type": None}
    mask = make.numpy.integers(0, 2, shapes[kind]).astype(bool)
    mask[..., 0] = False  # something may be looked at
    return {"mask": mask, "mask_type": kind}


@fits("_native_multi_head_attention", "_transformer_encoder_layer_fwd")
def _layers(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    heads, batch, steps = make.pick(1, 2), make.pick(1, 2), make.pick(1, 3)
    size = 4 * heads
    given: Named = {
        "embed_dim": size, "qkv_weight": make.normal(3 * size, size),
        "qkv_bias": make.normal(3 * size), "proj_weight": make.normal(size, size),
        "proj_bias": make.normal(size), **_a_mask(make, batch, heads, steps),
    }  # fmt: skip
    x = make.normal(batch, steps, size)
    if make.op.name.endswith("attention"):
        flags = {"need_weights": True, "average_attn_weights": make.pick(True, False)}
        return {**given, "num_head": heads, "query": x, "key": x, "value": x, **flags}
    norms = {f"norm_{kind}_{at}": make.normal(size) for kind in ("weight", "bias") for at in (1, 2)}
    return {
        **given, **norms, "num_heads": heads, "src": x, "eps": 1e-5,
        "ffn_weight_1": make.normal(6, size), "ffn_bias_1": make.normal(6),
        "ffn_weight_2": make.normal(size, 6), "ffn_bias_2": make.normal(size),
    }  # fmt: skip


# Writing by index ---------------------------------------------------------------------------------

_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin", "other")


@fits("scatter_reduce", "scatter_reduce_", "index_reduce", "index_reduce_")
def _into_places(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "int64", "float32")
    a, dim = make.normal(3, 4), make.pick(0, 1, -1)
    how = {"dim": dim, "reduce": make.pick(*_REDUCTIONS), "include_self": make.pick(True, False)}
    if "index_reduce" in make.op.name:
        index = make.numpy.integers(0, a.shape[dim], 2)
        shape = list(a.shape)
        shape[dim] = 2
        return {"self": a, "index": index, "source": make.normal(*shape), **how}
    index = make.numpy.integers(0, 3, (2, 3))
    return {"self": a, "index": index, "src": make.normal(3, 4), **how}


@fits("put", "put_")
def _anywhere(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "int64")
    a = make.normal(*make.pick((3, 4), (5,), (2, 2, 2)))
    index = make.random.sample(range(-a.size, 0), 3)
    return {"self": a, "index": np.array(index, "int64"), "source": make.normal(3)}


@fits("masked_scatter", "masked_scatter_")
def _masked(make: Maker) -> Named:
    a = make.normal(3, 4)
    mask = make.numpy.integers(0, 2, make.pick((3, 4), (4,))).astype(bool)
    return {"self": a, "mask": mask, "source": make.normal(3, 4)}


# Spectra ------------------------------------------------------------------------------------------


@fits(*(f"fft_{way}{end}" for way in ("fft", "ifft", "rfft", "irfft") for end in ("", "2", "n")))
def _transforms(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64", "complex64", "complex128")
    if "fft_rfft" in make.op.name:
        make.dtype = make.pick("float32", "float64")
    given: Named = {"self": make.normal(*make.pick((3, 4), (2, 5, 3)))}
    given["norm"] = make.pick(None, None, "ortho", "forward", "backward", "other")
    if make.op.schema.index_of("n") is not None:
        return {**given, "n": make.pick(None, 2, 5, 0), "dim": make.pick(-1, 0, 1)}
    dim = make.pick([-2, -1], [0, 1], [1], [1, 0])
    return {**given, "dim": dim, "s": make.pick(None, None, [3] * len(dim), [-1] * len(dim))}


@fits("hann_window", "hamming_window", "bartlett_window", "blackman_window")
def _window_lengths(make: Maker) -> Named:
    given: Named = {"window_length": make.pick(0, 1, 2, 5, 8), "dtype": None}
    weights = [n for n in ("alpha", "beta") if make.op.schema.index_of(n) is not None]
    return {**given, **{name: make.pick(0.5, 0.3, 1.0) for name in weights}}


@fits("fft_fftfreq", "fft_rfftfreq")
def _points(make: Maker) -> Named:
    return {"n": make.pick(1, 2, 5, 8), "dtype": None}


@fits("stft")
def _signals(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    points = make.pick(4, 5, 8)
    length = make.pick(None, points, points - 1)
    window = make.pick(None, abs(make.normal(length or points)))
    return {
        "self": make.normal(*make.pick((), (2,)), 20), "n_fft": points, "hop_length": make.pick(
            None, 2, 3), "win_length": length, "window": window, "onesided": make.pick(None, True,
            False), "return_complex": make.pick(True, True, False, None), "align_to_window": None,
        **({"pad_mode": make.pick("reflect", "constant")} if make.op.overload else {}),
    }  # fmt: skip


@fits("istft")
def _spectra(make: Maker) -> Named:
    make.dtype = make.pick("complex64", "complex128")
    points, halves = make.pick(4, 8), make.pick(True, False)
    a = make.normal(*make.pick((), (2,)), points // 2 + 1 if halves else points, 6)
    if halves:  # of a real signal these have no imaginary part
        a[..., 0, :], a[..., -1, :] = a[..., 0, :].real, a[..., -1, :].real
    return {
        "self": a, "n_fft": points, "hop_length": make.pick(None, points // 2), "win_length": None,
        "window": None, "onesided": make.pick(None, halves), "length": make.pick(None, None, 9),
        "return_complex": make.pick(False, False, not halves),
    }  # fmt: skip


# Bags ---------------------------------------------------------------------------------------------


@fits("embedding_bag")
def _bags(make: Maker) -> Named:
    make.dtype = make.pick("float32", "float64")
    indices = make.numpy.integers(0, 6, 5)
    ends = sorted(make.pick(0, 2, 3, 5) for _ in range(2))
    last = make.pick(True, False)
    mode = make.pick(0, 1, 2)
    given: Named = {
        "weight": make.normal(6, 3), "indices": indices, "mode": mode, "sparse": False,
        "offsets": np.array([0, *ends, *([5] if last else [])], "int64"),
        "include_last_offset": last, "scale_grad_by_freq": False,
        "per_sample_weights": make.pick(None, make.normal(5)) if mode == 0 else None,
    }  # fmt: skip
    if make.op.overload:
        given["padding_idx"] = make.pick(None, 1, 3)
    return given
