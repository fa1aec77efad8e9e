"""`nn.functional` against torch's: names, parameters, defaults, values, errors, scripted or not."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
import torch.nn.functional as theirs

import jitlang as jl
import jitlang.nn.functional as ours

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]

LATER = {
    "convolution": {
        "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d",
        "conv_transpose3d",
    },
    "pooling": {
        "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "avg_pool1d",
        "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_unpool1d",
        "max_unpool2d", "max_unpool3d",
        *(
            f"{kind}_max_pool{rank}d{rest}"
            for kind in ("adaptive", "fractional")
            for rank in (1, 2, 3)
            for rest in ("", "_with_indices")
        ),
        *(f"max_pool{rank}d{rest}" for rank in (1, 2, 3) for rest in ("", "_with_indices")),
    },
    "modules": {"multi_head_attention_forward"},
    "deprecated": {"upsample", "upsample_bilinear", "upsample_nearest"},
    "takes a function": {"triplet_margin_with_distance_loss"},
    "low precision": {"grouped_mm", "scaled_grouped_mm", "scaled_mm"},
    "new": {"linear_cross_entropy"},
    "no function": {
        "assert_int_or_pair", "boolean_dispatch", "handle_torch_function", "has_torch_function",
        "has_torch_function_unary", "has_torch_function_variadic", "overload",
    },
}  # fmt: skip
"""What is not here, and why."""

NOT_SAME = {"interpolate", "fold", "unfold", "affine_grid", "pad", "layer_norm", "rms_norm"}
"""Annotations differ only in how they spell numbers or lists; names and defaults must agree."""


def public(module):
    return {
        name
        for name in dir(module)
        if not name.startswith("_")
        and callable(getattr(module, name))
        and (name.islower() or name[-2:] == "1d")
    }


def test_what_torch_has_is_here_or_listed():
    missing = {name for name in public(theirs) if not hasattr(ours, name)}
    assert missing - set().union(*LATER.values()) == set()


@pytest.mark.parametrize("name", sorted(set(ours.__all__)))
def test_parameters_and_defaults(name):
    try:
        expected = inspect.signature(getattr(theirs, name))
    except ValueError:
        pytest.fail("an operator of torch's is a function here")
    found = inspect.signature(getattr(ours, name))
    shown = [
        {p.name: pytest.approx(p.default) if isinstance(p.default, float) else p.default
         for p in each.parameters.values()}
        for each in (found, expected)
    ]  # fmt: skip
    assert shown[0] == shown[1]


rng = np.random.default_rng(0)


def f(*shape, low=-2.0, high=2.0):
    return rng.uniform(low, high, shape).astype(np.float32)


def i(high, *shape):
    return rng.integers(0, high, shape)


def signs(*shape):
    return (2 * rng.integers(0, 2, shape) - 1).astype(np.float32)


P = f(4, 3, low=0.01, high=0.99)
X, Y = f(4, 3), f(4, 3)
CASES = [
    *(
        (n, (X,), {})
        for n in (
            "relu",
            "relu6",
            "elu",
            "selu",
            "celu",
            "leaky_relu",
            "hardtanh",
            "hardswish",
            "hardsigmoid",
            "silu",
            "mish",
            "softsign",
            "tanhshrink",
            "gelu",
            "logsigmoid",
            "softplus",
            "softshrink",
            "hardshrink",
            "sigmoid",
            "tanh",
            "rrelu",
            "softmax",
            "softmin",
            "log_softmax",
            "normalize",
        )
    ),
    *(
        (n, (X,), {"inplace": True})
        for n in (
            "relu",
            "relu6",
            "elu",
            "selu",
            "celu",
            "leaky_relu",
            "hardtanh",
            "hardswish",
            "hardsigmoid",
            "silu",
            "mish",
            "rrelu",
        )
    ),
    ("elu", (X, 0.5), {}),
    ("celu", (X, 0.5), {}),
    ("leaky_relu", (X, 0.3), {}),
    ("hardtanh", (X, -0.5, 0.5), {}),
    ("hardtanh", (X, 0.5, -0.5), {}),
    ("threshold", (X, 0.1, 7.0), {}),
    ("threshold", (X, 0.1, 7.0), {"inplace": True}),
    ("glu", (f(3, 4),), {}),
    ("glu", (f(3, 4), 0), {}),
    *(
        (n, (f(*shape),), {})
        for n in ("softmax", "log_softmax")
        for shape in ((), (3,), (2, 3, 4), (1, 2, 3, 4))
    ),
    ("softmax", (X, 0), {}),
    ("softmax", (X,), {"dim": 5}),
    ("dropout", (X, 1.5), {}),
    ("dropout", (X, 0.5, False), {}),
    ("dropout", (X, 1.0), {}),
    ("dropout", (X, 0.0), {}),
    ("alpha_dropout", (X, 0.5), {}),
    ("alpha_dropout", (X, -1.0), {}),
    ("feature_alpha_dropout", (X, 0.5), {}),
    ("dropout1d", (f(2, 3), 0.0), {}),
    ("dropout1d", (f(2, 3, 4, 5),), {}),
    ("dropout2d", (f(2, 3, 4, 5), 0.0), {}),
    ("dropout3d", (f(2, 3, 4, 5), 1.0), {}),
    ("dropout3d", (f(2, 3, 4, 5, 2), 0.0), {}),
    *(
        (n, (X, Y), {"reduction": r})
        for n in ("l1_loss", "mse_loss", "huber_loss", "smooth_l1_loss")
        for r in ("none", "mean", "sum", "wrong")
    ),
    *(
        (n, (X, Y), {"weight": P, "reduction": r})
        for n in ("l1_loss", "mse_loss", "huber_loss")
        for r in ("none", "mean", "sum")
    ),
    *((n, (X, Y), {"size_average": False}) for n in ("l1_loss", "mse_loss", "smooth_l1_loss")),
    ("mse_loss", (X, Y), {"reduce": False}),
    ("mse_loss", (X, f(3)), {}),
    ("mse_loss", (X, Y), {"weight": f(3)}),
    ("smooth_l1_loss", (X, Y), {"beta": 0.0}),
    ("smooth_l1_loss", (X, Y), {"beta": 0.5}),
    ("huber_loss", (X, Y), {"delta": 0.3}),
    ("soft_margin_loss", (X, signs(4, 3)), {}),
    ("hinge_embedding_loss", (X, signs(4, 3)), {}),
    ("margin_ranking_loss", (X, Y, signs(4, 3)), {"margin": 0.5}),
    ("cosine_embedding_loss", (X, Y, signs(4)), {"margin": 0.1, "reduction": "none"}),
    ("triplet_margin_loss", (X, Y, P), {}),
    ("triplet_margin_loss", (X, Y, P), {"swap": True, "p": 1.0}),
    ("triplet_margin_loss", (X, Y, P), {"margin": -1.0}),
    ("multi_margin_loss", (X, i(3, 4)), {}),
    ("multi_margin_loss", (X, i(3, 4)), {"p": 2, "margin": 0.5}),
    ("multi_margin_loss", (X, i(3, 4)), {"p": 3}),
    ("multilabel_margin_loss", (X, np.array([[0, 1, -1], [2, -1, 0], [1, 2, 0], [-1, 0, 0]])), {}),
    *(
        ("multilabel_soft_margin_loss", (X, (Y > 0).astype(np.float32)), {"reduction": r})
        for r in ("none", "mean", "sum")
    ),
    ("multilabel_soft_margin_loss", (X, P), {"weight": f(3)}),
    ("binary_cross_entropy", (P, (Y > 0).astype(np.float32)), {}),
    ("binary_cross_entropy", (P, (Y > 0).astype(np.float32)), {"weight": f(3), "reduction": "sum"}),
    ("binary_cross_entropy", (P, f(3)), {}),
    ("binary_cross_entropy_with_logits", (X, P), {"weight": f(3), "pos_weight": P[0]}),
    ("binary_cross_entropy_with_logits", (X, f(3)), {}),
    ("nll_loss", (X, i(3, 4)), {}),
    ("nll_loss", (f(2, 3, 4), i(3, 2, 4)), {"reduction": "none"}),
    ("nll_loss", (X, np.array([0, 1, -100, 2])), {"weight": P[0]}),
    ("cross_entropy", (X, i(3, 4)), {}),
    ("cross_entropy", (X, P), {"reduction": "none"}),
    ("cross_entropy", (X, i(3, 4)), {"label_smoothing": 0.1, "weight": P[0]}),
    ("cross_entropy", (X, i(3, 4)), {"ignore_index": 1, "reduction": "sum"}),
    ("cross_entropy", (X, i(3, 4)), {"reduction": "batchmean"}),
    *(("kl_div", (np.log(P), P), {"reduction": r}) for r in ("none", "mean", "sum", "batchmean")),
    ("kl_div", (np.log(P), np.log(P)), {"log_target": True, "size_average": False}),
    *(
        ("poisson_nll_loss", (P, P), {"log_input": a, "full": b})
        for a in (True, False)
        for b in (True, False)
    ),
    ("gaussian_nll_loss", (X, Y, P), {}),
    ("gaussian_nll_loss", (X, Y, P[:, 0]), {"full": True}),
    ("gaussian_nll_loss", (X, Y, 0.5), {"reduction": "sum"}),
    ("gaussian_nll_loss", (X, Y, Y), {}),
    (
        "ctc_loss",
        (np.log(f(6, 2, 4, low=0.1, high=1.0)), i(3, 2, 3) + 1, np.array([6, 5]), np.array([3, 2])),
        {},
    ),
    ("batch_norm", (X, f(3), P[0]), {}),
    ("batch_norm", (X, f(3), P[0], f(3), f(3)), {"training": True}),
    ("batch_norm", (X, None, None), {"training": True, "eps": 0.0}),
    ("batch_norm", (f(1, 3), None, None), {"training": True}),
    ("instance_norm", (f(2, 3, 5),), {}),
    ("instance_norm", (f(2, 3, 1),), {}),
    ("instance_norm", (f(2, 3, 5), f(3), P[0], f(3), f(3)), {"use_input_stats": False}),
    ("layer_norm", (f(2, 3, 5), [3, 5]), {}),
    ("layer_norm", (f(2, 5), [5], f(5), f(5), 1e-3), {}),
    ("layer_norm", (f(2, 5), [4]), {}),
    ("group_norm", (f(2, 6, 5), 3), {}),
    ("group_norm", (f(2, 6, 5), 4), {}),
    ("rms_norm", (f(2, 5), [5]), {}),
    ("rms_norm", (f(2, 5), [5], f(5), 1e-3), {}),
    *(
        ("local_response_norm", (f(*shape), size), {})
        for shape in ((2, 7, 5), (2, 7, 3, 2), (2, 7))
        for size in (2, 5)
    ),
    ("normalize", (X, 1.0, 0), {}),
    ("normalize", (np.zeros((2, 2), np.float32),), {}),
    ("embedding", (i(4, 2, 3), X), {}),
    ("embedding", (i(4, 2, 3), X), {"padding_idx": -1}),
    ("embedding", (i(4, 2, 3), X), {"padding_idx": 9}),
    ("embedding", (i(4, 6), X), {"max_norm": 0.5}),
    ("embedding", (i(4, 2) + 9, X), {}),
    *(("embedding_bag", (i(4, 3, 2), X), {"mode": mode}) for mode in ("sum", "mean", "max", "min")),
    ("embedding_bag", (i(4, 6), X, np.array([0, 2, 2])), {"padding_idx": 1}),
    ("embedding_bag", (i(4, 6), X, np.array([0, 2, 6])), {"include_last_offset": True}),
    ("embedding_bag", (i(4, 3, 2), X), {"mode": "sum", "per_sample_weights": f(3, 2)}),
    ("embedding_bag", (i(4, 3, 2), X), {"mode": "mean", "per_sample_weights": f(3, 2)}),
    ("embedding_bag", (i(4, 3, 2), X), {"mode": "sum", "per_sample_weights": f(3)}),
    ("embedding_bag", (i(4, 6), X, np.array([0, 3])), {"max_norm": 0.5}),
    ("embedding_bag", (i(4, 3, 2), X, np.array([0, 3])), {}),
    ("embedding_bag", (i(4, 6), X), {}),
    ("embedding_bag", (i(4, 3, 2), X), {"mode": "max", "sparse": True}),
    ("embedding_bag", (i(4, 3, 2), X[0]), {}),
    *(
        ("pad", (f(1, 2, 4, 5), [1, 2, 0, 1]), {"mode": m})
        for m in ("constant", "reflect", "replicate", "circular")
    ),
    ("pad", (X, [1, 1], "constant", 3.0), {}),
    ("pad", (X, [1, 1], "mirror"), {}),
    *(
        (
            "grid_sample",
            (f(1, 2, 4, 5), f(1, 3, 3, 2)),
            {"mode": m, "padding_mode": p, "align_corners": c},
        )
        for m in ("bilinear", "nearest", "bicubic")
        for p in ("zeros", "border", "reflection")
        for c in (True, False)
    ),
    ("grid_sample", (f(1, 2, 4, 5), f(1, 3, 3, 2)), {"mode": "cubic"}),
    ("affine_grid", (f(2, 2, 3), [2, 3, 4, 5]), {}),
    ("affine_grid", (f(2, 3, 4), [2, 3, 4, 5, 2], True), {}),
    ("affine_grid", (f(2, 2, 2), [2, 3, 4, 5]), {}),
    ("affine_grid", (i(2, 2, 2, 3), [2, 3, 4, 5]), {}),
    ("unfold", (f(1, 2, 5, 6), 2), {}),
    ("unfold", (f(1, 2, 5, 6), [2, 3], 1, [1, 0], 2), {}),
    ("fold", (f(1, 8, 20), [5, 6], [2, 2]), {}),
    ("fold", (f(1, 8, 16), 5, 2), {}),
    *(
        ("interpolate", (f(1, 2, *[4, 5, 3][:r]), [7, 3, 6][:r]), {"mode": m})
        for r, m in (
            (1, "nearest"),
            (2, "nearest"),
            (3, "nearest"),
            (1, "linear"),
            (2, "bilinear"),
            (2, "bicubic"),
            (3, "trilinear"),
            (2, "nearest-exact"),
            (1, "bilinear"),
            (2, "linear"),
        )
    ),
    *(
        ("interpolate", (f(1, 2, 4, 5), None, s), {"mode": m})
        for s in (1.5, [2.0, 0.5])
        for m in ("nearest", "bilinear")
    ),
    ("interpolate", (f(1, 2, 4, 5), None, 1.7), {"mode": "bilinear", "align_corners": True}),
    (
        "interpolate",
        (f(1, 2, 4, 5), None, 1.7),
        {"mode": "bilinear", "recompute_scale_factor": True},
    ),
    *(
        ("interpolate", (f(1, 2, 9, 8), size, factor), {"mode": mode, "antialias": True})
        for mode in ("bilinear", "bicubic", "nearest")
        for size, factor in (([4, 3], None), (None, 0.6))
    ),
    ("interpolate", (f(1, 2, 4, 5), None, 1.7), {"recompute_scale_factor": True}),
    ("interpolate", (f(1, 2, 4, 5, 2, 3), 3), {}),
    ("interpolate", (f(1, 2, 4, 5),), {}),
    ("interpolate", (f(1, 2, 4, 5), 3, 2.0), {}),
    ("interpolate", (f(1, 2, 4, 5), [3]), {}),
    ("interpolate", (f(1, 2, 4, 5), 3), {"align_corners": True}),
    ("one_hot", (i(3, 4), 5), {}),
    ("linear", (X, f(2, 3), f(2)), {}),
    ("prelu", (X, P[0]), {}),
    ("pairwise_distance", (X, Y), {}),
    ("cosine_similarity", (X, Y), {}),
    ("pdist", (X,), {}),
    ("pixel_shuffle", (f(1, 8, 2, 3), 2), {}),
    ("pixel_unshuffle", (f(1, 2, 4, 6), 2), {}),
    ("scaled_dot_product_attention", (f(2, 3, 4), f(2, 5, 4), f(2, 5, 4)), {}),
    ("bilinear", (f(4, 2), f(4, 3), f(5, 2, 3), f(5)), {}),
]


def outcome(function, convert, args, keywords):
    """The arrays of the result and of the arguments afterwards, or the class of the exception."""
    given = [convert(a.copy()) if isinstance(a, np.ndarray) else a for a in args]
    named = {k: convert(a.copy()) if isinstance(a, np.ndarray) else a for k, a in keywords.items()}
    try:
        found = function(*given, **named)
    except (RuntimeError, ValueError, IndexError, NotImplementedError, AssertionError) as error:
        return type(error)
    written = [
        np.asarray(a) for a in given if not isinstance(a, (int, float, list, str)) and a is not None
    ]
    return [np.asarray(found), *written]


def names_of(cases):
    return [f"{n}-{number}" for number, (n, _, _) in enumerate(cases)]


@pytest.mark.parametrize("name, args, keywords", CASES, ids=names_of(CASES))
def test_as_torch(name, args, keywords):
    expected = outcome(getattr(theirs, name), torch.from_numpy, args, keywords)
    function = getattr(ours, name)
    for kind, run in (("eager", function), ("script", scripted(name, len(args), tuple(keywords)))):
        found = outcome(run, jl.from_numpy, args, keywords)
        if isinstance(expected, type):
            assert isinstance(found, type), f"{kind}: torch raises {expected.__name__}"
            assert issubclass(found, expected) or issubclass(expected, found), (
                kind,
                found,
                expected,
            )
            continue
        assert not isinstance(found, type), f"{kind}: {found}"
        for mine, other in zip(found, expected, strict=True):
            assert mine.shape == other.shape and mine.dtype == other.dtype, kind
            np.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-6, err_msg=kind)


def scripted(name, positional, keywords):
    """The function, scripted."""
    found = getattr(ours, name)
    if name not in ours.OPERATORS:
        return jl.script(found)
    return found


def test_random_ones_draw_what_they_should():
    jl.manual_seed(0)
    x = jl.ones(20_000)
    for function in (ours.dropout, jl.script(ours.dropout)):
        kept = function(x, 0.25) > 0
        assert abs(float(kept.float().mean()) - 0.75) < 0.02
    slopes = ours.rrelu(-x, training=True)
    assert -1 / 3 <= float(slopes.min()) and float(slopes.max()) <= -1 / 8
    hard = ours.gumbel_softmax(jl.zeros(1000, 4), hard=True)
    assert hard.sum(-1).tolist() == [1.0] * 1000
    assert 150 < float(hard.sum(0).min()) and float(hard.sum(0).max()) < 350
    channels = ours.dropout2d(jl.ones(10, 50, 3, 3)).reshape(10, 50, 9)
    assert bool((channels == channels[:, :, :1]).all())
