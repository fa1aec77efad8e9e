"""Where jitlang means to answer otherwise than torch, and why.

Each entry explains the differences that its `covers` accepts, of the kinds that it names. An entry
that explains nothing any more fails the tests: this table says how things are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from comparison import Difference, Kind, base_name, values_agree
from factors import are_factors, are_nearly_singular
from jitlang.ir import types as ty

Rule = Callable[[Difference], bool]


@dataclass(frozen=True)
class Deviation:
    """One explained deviation.

    Attributes:
        title: what differs, in a few words.
        reason: why that is right here.
        kinds: the kinds of differences that it may explain.
        covers: whether it explains a difference of such a kind.
    """

    title: str
    reason: str
    kinds: tuple[Kind, ...]
    covers: Rule


def explanation(difference: Difference) -> Deviation | None:
    """The first entry that explains a difference."""
    return next(
        (d for d in DEVIATIONS if difference.kind in d.kinds and d.covers(difference)), None
    )


def rows(*names: str) -> Rule:
    """Differences of the rows with these full or base names."""
    wanted = frozenset(names)
    return lambda d: d.op.full_name.partition("::")[2] in wanted or base_name(d.op) in wanted


def _takes_no_tensor(d: Difference) -> bool:
    return not any(
        isinstance(ty.without_none(a.type), ty.TensorType) for a in d.op.schema.arguments
    )


_PYTHON_ERRORS = (
    ArithmeticError, LookupError, ValueError, TypeError,
)  # fmt: skip


def _is_empty(d: Difference) -> bool:
    return any(not a.size for a in d.arrays) or 0 in (d.argument("size") or [])


def _differ_in_zeros_only(d: Difference) -> bool:
    pair = [
        np.atleast_1d(np.asarray(v[0] if isinstance(v, tuple) else v)) for v in (d.ours, d.theirs)
    ]
    left, right = (v.astype("float64") for v in pair)
    return bool(np.allclose(left, right, 1e-2, 1e-6, equal_nan=True))


_TORCH_ERRORS = (RuntimeError, IndexError)

DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        "Another of several mistakes",
        "A call that both refuse may be refused for a bad dimension (IndexError) or for dtypes and "
        "shapes (RuntimeError), whichever check comes first.",
        (Kind.ERROR,),
        lambda d: isinstance(d.ours, _TORCH_ERRORS) and isinstance(d.theirs, _TORCH_ERRORS),
    ),
    Deviation(
        "Mistakes in calls on nothing",
        "Of empty tensors torch does not look at every dtype, dimension and index. Here a mistake "
        "is one for any number of elements.",
        (Kind.REFUSED,),
        lambda d: _is_empty(d) and isinstance(d.ours, _TORCH_ERRORS),
    ),
    Deviation(
        "Numbers, strings and containers raise Python's errors",
        "A script raises what the same Python function raises: ZeroDivisionError, KeyError, "
        "IndexError, ValueError. Torch raises RuntimeError with the message of those.",
        (Kind.ERROR,),
        lambda d: _takes_no_tensor(d) and isinstance(d.ours, _PYTHON_ERRORS),
    ),
    Deviation(
        "Numbers refuse what Python refuses",
        "`math.log(-1)` and integer overflow raise in Python; torch answers NaN, infinity or a "
        "wrapped integer.",
        (Kind.REFUSED,),
        lambda d: _takes_no_tensor(d) and isinstance(d.ours, ArithmeticError | ValueError),
    ),
    Deviation(
        "A bool is a number",
        "Operators on a number of any kind take bools, as in Python; torch's fail an assertion.",
        (Kind.ACCEPTED,),
        lambda d: (
            any(isinstance(v, bool) for v in d.values)
            and ("INTERNAL ASSERT" in str(d.theirs) or "Boolean alpha" in str(d.theirs))
        ),
    ),
    Deviation(
        "Functions of a number of any kind are computed in float64",
        "A Python float is a float64. Torch's overloads for numbers of any kind round to float32.",
        (Kind.VALUES,),
        lambda d: (
            _takes_no_tensor(d)
            and isinstance(d.theirs, float)
            and bool(np.isclose(d.ours, d.theirs, 2e-7, 1e-12))
        ),
    ),
    Deviation(
        "More dtypes",
        "Torch has no kernel of some operators for some dtypes; here the kernel does not depend on "
        "the dtype, and the answer is NumPy's.",
        (Kind.ACCEPTED,),
        lambda d: (
            isinstance(d.theirs, NotImplementedError) and "not implemented for" in str(d.theirs)
        ),
    ),
    Deviation(
        "Containers of nothing have a type here",
        "Lists of no elements take the type of what they meet. Torch gives an empty list one type "
        "when it is made.",
        (Kind.ACCEPTED,),
        lambda d: (
            _takes_no_tensor(d)
            and any(v == [] for v in d.values)
            and "Expected a value of type" not in str(d.theirs)
            and isinstance(d.theirs, RuntimeError)
        ),
    ),
    Deviation(
        "Lists repeated a negative number of times are empty",
        "As in Python; torch fails to reserve memory.",
        (Kind.ACCEPTED,),
        lambda d: "vector::reserve" in str(d.theirs),
    ),
    Deviation(
        "Dicts keep the order of insertion to the end",
        "`popitem` takes the last item, as in Python; torch's takes the first, and fails on NaN.",
        (Kind.VALUES, Kind.ACCEPTED),
        rows("popitem"),
    ),
    Deviation(
        "NaN in dicts and lists",
        "A NaN is found by identity in Python's containers, and never equals another one.",
        (Kind.RESULT,),
        lambda d: base_name(d.op) in ("copy", "dict") and "nan" in str(d.values[0]),
    ),
    Deviation(
        "Remainders, powers and extrema of numbers are Python's",
        "Signs, infinities and NaN come out as in Python: `-1 % inf` is inf, `1 ** nan` is 1, "
        "`max(nan, 1)` is nan, and an int stays one in `max(2, 0.5)`.",
        (Kind.VALUES, Kind.RESULT, Kind.ACCEPTED),
        lambda d: (
            _takes_no_tensor(d)
            and base_name(d.op)
            in ("divmod", "floordiv", "remainder", "pow", "max", "min", "floor_divide")
        ),
    ),
    Deviation(
        "Complex numbers are Python's",
        "`cmath` decides about branch cuts and infinities, and torch gets some of them wrong.",
        (Kind.VALUES,),
        lambda d: _takes_no_tensor(d) and base_name(d.op) in ("log", "pow", "polar", "angle"),
    ),
    Deviation(
        "Strings are searched as Python searches",
        "Ranges that lie behind the end of a string find nothing; torch raises or answers a place.",
        (Kind.VALUES, Kind.ACCEPTED),
        rows("find", "rfind", "index", "rindex", "startswith", "endswith", "count"),
    ),
    Deviation(
        "Identity and hash are Python's",
        "`is` compares objects, which equal strings may share. Hashes differ between programs.",
        (Kind.VALUES, Kind.REFUSED),
        rows("__is__", "__isnot__", "hash.generic", "hash.str", "hash.int", "hash.float"),
    ),
    Deviation(
        "Other random numbers",
        "The generator is Philox, with seeds of its own.",
        (Kind.VALUES,),
        rows("initial_seed"),
    ),
    Deviation(
        "Defaults that torch's Python functions know",
        "`randint` gives int64, as `torch.randint` does; the bare operator the default dtype.",
        (Kind.DTYPE,),
        rows("randint", "randint.low", "randint.generator", "randint.low_generator"),
    ),
    Deviation(
        "An empty list is a floating tensor",
        "As in `torch.tensor([])`. Torch's scripts give the dtype of the list's static type.",
        (Kind.DTYPE,),
        lambda d: base_name(d.op) in ("tensor", "as_tensor") and d.values[0] == [],
    ),
    Deviation(
        "Lists of tensors become a tensor",
        "As in `torch.tensor` outside of scripts.",
        (Kind.ACCEPTED,),
        lambda d: base_name(d.op) in ("tensor", "as_tensor") and "got Tensor" in str(d.theirs),
    ),
    Deviation(
        "Floats that an integer dtype does not have",
        "Infinity, NaN and floats out of range are refused where C leaves the integer undefined.",
        (Kind.REFUSED,),
        lambda d: "without overflow" in str(d.ours),
    ),
    Deviation(
        "`int` and `float` of tensors are Python's",
        "As in torch outside of scripts: complex numbers that are real are taken, and what has not "
        "one element is a ValueError.",
        (Kind.ACCEPTED, Kind.ERROR),
        rows("Int.Tensor", "Float.Tensor"),
    ),
    Deviation(
        "Optional values are checked",
        "Unwrapping None raises; torch's operator, called by itself, hands it on.",
        (Kind.REFUSED,),
        rows("_unwrap_optional"),
    ),
    Deviation(
        "Half precision computed to float32 on the CPU",
        "The private operators of softmax take `half_to_float` for what it says.",
        (Kind.ACCEPTED,),
        rows("_softmax", "_log_softmax"),
    ),
    Deviation(
        "In-place absolute values of complex tensors",
        "The real result is written as a complex number.",
        (Kind.ACCEPTED,),
        rows("abs_", "absolute_"),
    ),
    Deviation(
        "Complex tensors of one real number make a complex number",
        "`complex(a, b)` adds `b` times the imaginary unit to any number, as Python's does.",
        (Kind.ACCEPTED,),
        rows(
            "Complex.Tensor_Tensor",
            *(f"Complex.{k}_Tensor" for k in ("int", "float", "bool")),
            *(f"Complex.Tensor_{k}" for k in ("int", "float", "bool")),
        ),
    ),
    Deviation(
        "Which of two equal zeros",
        "The greater of 0. and -0. is either: processors differ, and torch with them.",
        (Kind.VALUES,),
        lambda d: (
            base_name(d.op).rstrip("_")
            in (
                "relu",
                "relu6",
                "clamp",
                "clip",
                "clamp_min",
                "clamp_max",
                "hardtanh",
                "maximum",
                "minimum",
                "fmax",
                "fmin",
                "max",
                "min",
                "amax",
                "amin",
                "hardswish",
                "hardsigmoid",
                "softshrink",
                "cumsum",
                "stft",
                "hamming_window",
                "blackman_window",
                "nanmedian",
                "trapz",
                "trapezoid",
                "cumulative_trapezoid",
                "_upsample_bilinear2d_aa",
                "_upsample_bicubic2d_aa",
                "_upsample_lanczos2d_aa",
                "det",
                "linalg_det",
                "slogdet",
                "linalg_slogdet",
                "nll_loss",
                "nll_loss2d",
                "nll_loss_nd",
                "cross_entropy_loss",
            )
            and _differ_in_zeros_only(d)
        ),
    ),
    Deviation(
        "Means of opposite infinities",
        "`std_mean` and `var_mean` of an infinite column give the infinite mean that `mean` gives; "
        "torch gives NaN.",
        (Kind.VALUES,),
        rows("std_mean", "var_mean"),
    ),
    Deviation(
        "Elements behind every index are checked",
        "An index of a tensor that is out of range raises IndexError; torch lets pass what it need "
        "not read.",
        (Kind.REFUSED,),
        lambda d: isinstance(d.ours, IndexError) and "out of bounds" in str(d.ours),
    ),
    Deviation(
        "Python's own kinds of errors",
        "`len` of a 0-dim tensor raises TypeError and a bad step ValueError, as on torch's tensors "
        "in Python; the bare operators raise RuntimeError.",
        (Kind.ERROR,),
        rows("len.Tensor", "slice.Tensor", "Int.Tensor", "slice_scatter"),
    ),
    Deviation(
        "Indexing with nothing",
        "`x[...]` without index tensors gives all of x; torch's operator fails an assertion.",
        (Kind.ACCEPTED,),
        lambda d: (
            base_name(d.op) in ("index", "index_put", "index_put_")
            and all(v is None for v in d.values[1])
        ),
    ),
    Deviation(
        "`rsub` takes `alpha` by place",
        "As the schema of `rsub.Scalar` has it.",
        (Kind.ACCEPTED,),
        rows("rsub.Tensor"),
    ),
    Deviation(
        "`addcdiv` of integers",
        "With a floating `self` the quotient of two integer tensors is the true one; torch refuses "
        "to say which is meant.",
        (Kind.ACCEPTED,),
        rows("addcdiv", "addcdiv_"),
    ),
    Deviation(
        "Floats as factors of integers",
        "`value=2.5` is refused for integer tensors in `addcmul` as in all other operators.",
        (Kind.REFUSED,),
        rows("addcmul", "addcmul_"),
    ),
    Deviation(
        "`addr` takes tensors of one dtype",
        "As `addmm` does, in torch too; and `beta` as it comes.",
        (Kind.REFUSED, Kind.ACCEPTED),
        rows("addr", "addr_"),
    ),
    Deviation(
        "Conjugates are computed",
        "Torch marks a view as conjugated and computes later.",
        (Kind.MEMORY,),
        rows("mH", "adjoint", "conj"),
    ),
    Deviation(
        "`as_strided` of what is strided already",
        "An array knows the memory that it covers itself; torch's tensors know the storage behind.",
        (Kind.REFUSED,),
        rows("as_strided", "as_strided_"),
    ),
    Deviation(
        "Parameters of activations",
        "`celu(alpha=0)`, a negative `softshrink` and thresholds that an integer dtype lacks "
        "follow the formula.",
        (Kind.ACCEPTED,),
        rows(
            "celu",
            "celu_",
            "softshrink",
            "nll_loss",
            "nll_loss2d",
            "nll_loss_nd",
            "cross_entropy_loss",
            "threshold",
            "threshold_",
        ),
    ),
    Deviation(
        "Norms and deviations of huge numbers",
        "A sum of squares overflows in its dtype. Torch takes the size of a single element as it "
        "is, and sums some deviations in float64.",
        (Kind.VALUES,),
        rows("dist", "norm", "linalg_vector_norm", "std", "var", "std_mean", "var_mean"),
    ),
    Deviation(
        "`einsum` chooses its own order",
        "A path is a hint, and not checked.",
        (Kind.ACCEPTED,),
        rows("einsum"),
    ),
    Deviation(
        "Strided tensors without a dimension",
        "`take_along_dim` flattens them; torch refuses those that it cannot view as flat.",
        (Kind.ACCEPTED,),
        rows("take_along_dim"),
    ),
    Deviation(
        "Only tensors require gradients",
        "Asked of a number the answer is False.",
        (Kind.ACCEPTED,),
        rows("requires_grad"),
    ),
    Deviation(
        "Complex `logaddexp`",
        "Computed from the larger operand, so that one far below changes nothing; torch gives NaN. "
        "Of running sums the imaginary parts may differ by whole turns.",
        (Kind.VALUES,),
        lambda d: (
            (base_name(d.op) == "logaddexp" and bool(np.isnan(d.theirs).any()))
            or (base_name(d.op) == "logcumsumexp" and d.theirs.dtype.kind == "c")
        ),
    ),
    Deviation(
        "A dtype that norms compute in",
        "Norms of complex tensors to complex dtypes are real; torch contradicts itself.",
        (Kind.ACCEPTED,),
        rows("norm.ScalarOpt_dtype", "norm.ScalarOpt_dim_dtype"),
    ),
    Deviation(
        "Negative strides",
        "Arrays may be reversed; torch has only copies of them, whose strides and layout differ.",
        (Kind.VALUES, Kind.REFUSED, Kind.ACCEPTED),
        lambda d: (
            base_name(d.op)
            in ("stride", "is_contiguous", "view", "storage_offset", "view_as_complex")
            and any(s < 0 for a in d.arrays for s in a.strides)
        ),
    ),
    Deviation(
        "The strides of one element",
        "Viewing it, or nothing, in another dtype asks for nothing of its strides.",
        (Kind.ACCEPTED,),
        lambda d: d.op.full_name == "aten::view.dtype" and any(a.size < 2 for a in d.arrays),
    ),
    Deviation(
        "Strided operands of `kron`",
        "They need no copy; torch refuses some of them.",
        (Kind.ACCEPTED,),
        rows("kron"),
    ),
    Deviation(
        "Values are cast",
        "What an index writes is cast to the tensor's dtype, as by `copy_`; torch wants one.",
        (Kind.ACCEPTED,),
        lambda d: "source and destination dtypes match" in str(d.theirs),
    ),
    Deviation(
        "Remainders of numbers so small that their inverse is infinite",
        "They are zero; torch gives NaN.",
        (Kind.VALUES,),
        lambda d: base_name(d.op).rstrip("_") == "remainder" and bool(np.isnan(d.theirs).any()),
    ),
    Deviation(
        "Order statistics of expanded tensors",
        "Torch sorts in place what shares memory, and gives positions of other values.",
        (Kind.VALUES,),
        rows("median.dim", "kthvalue", "nanmedian.dim", "mode"),
    ),
    Deviation(
        "Which of several values is written",
        "Where an index names a place twice, any of the values may stand there.",
        (Kind.VALUES,),
        lambda d: base_name(d.op).rstrip("_") in ("index_put", "scatter", "index_copy", "put"),
    ),
    Deviation(
        "Powers of infinite complex numbers",
        "They are NumPy's.",
        (Kind.VALUES,),
        lambda d: (
            base_name(d.op).rstrip("_") in ("pow", "float_power", "ldexp")
            and any(a.dtype.kind == "c" for a in d.arrays)
        ),
    ),
    Deviation(
        "A number equals a bool",
        "As in Python; torch's operator for numbers of any kind gives None.",
        (Kind.RESULT,),
        lambda d: d.theirs is None,
    ),
    Deviation(
        "Weights of `lerp`",
        "They have the dtype of the tensors, as torch wants elsewhere; it takes real weights of "
        "complex tensors.",
        (Kind.REFUSED,),
        rows("lerp.Tensor", "lerp_.Tensor"),
    ),
    Deviation(
        "Unsorted `topk`",
        "`sorted=False` allows any order, the sorted one too.",
        (Kind.VALUES,),
        rows("topk"),
    ),
    Deviation(
        "Calls on nothing that fail in torch",
        "An empty mask of bytes picks nothing, whatever its shape; nothing normalised is nothing.",
        (Kind.ACCEPTED,),
        lambda d: (
            base_name(d.op).rstrip("_") in ("index_put", "index", "instance_norm", "batch_norm")
            and _is_empty(d)
        ),
    ),
    Deviation(
        "Bessel functions of infinity",
        "They are infinite, and large ones are not cut off; torch multiplies infinity by zero.",
        (Kind.VALUES,),
        rows("i0", "i0_", "special_i0", "special_i1", "special_i1e"),
    ),
    Deviation(
        "Log gamma of subnormal numbers",
        "It is -log(x); torch's library loses digits there.",
        (Kind.VALUES,),
        rows(
            "lgamma", "lgamma_", "special_gammaln", "mvlgamma", "mvlgamma_", "special_multigammaln"
        ),
    ),
    Deviation(
        "Normalising huge numbers",
        "Squares overflow to infinity, by which what is left is divided; torch's order of sums "
        "gives NaN, or loses the mean.",
        (Kind.VALUES,),
        rows(
            "layer_norm",
            "group_norm",
            "instance_norm",
            "batch_norm",
            "rms_norm",
            "native_layer_norm",
        ),
    ),
    Deviation(
        "Label smoothing is a share",
        "It is refused outside of 0 to 1, as in torch's Python function; the bare operator is not.",
        (Kind.REFUSED,),
        rows("cross_entropy_loss"),
    ),
    Deviation(
        "Huber's loss of infinite delta",
        "Half the square of an infinite distance is infinite.",
        (Kind.VALUES,),
        rows("huber_loss"),
    ),
    Deviation(
        "Running statistics come in pairs",
        "One alone is refused before its size is looked at.",
        (Kind.ERROR,),
        rows("batch_norm", "instance_norm"),
    ),
    Deviation(
        "Factors that a matrix does not decide",
        "Signs and phases of singular vectors and eigenvectors, their order among equal values, "
        "and what belongs to a rank that is not there. The product of the factors is the matrix.",
        (Kind.VALUES,),
        are_factors,
    ),
    Deviation(
        "Matrices that are singular but for rounding",
        "Whether rounding leaves a zero is up to the order of sums. What is exactly singular "
        "raises `LinAlgError` on both sides.",
        (Kind.VALUES, Kind.REFUSED, Kind.ACCEPTED, Kind.SHAPE),
        are_nearly_singular,
    ),
    Deviation(
        "Antialiased images that become one pixel wide",
        "Their rows differ; torch repeats the first one.",
        (Kind.VALUES,),
        lambda d: base_name(d.op).endswith("_aa") and d.ours.shape[-1] == 1,
    ),
    Deviation(
        "Pixels of empty batches",
        "`pixel_unshuffle` of no images has the shape that it has of one; torch leaves it as it "
        "is.",
        (Kind.SHAPE,),
        lambda d: base_name(d.op) == "pixel_unshuffle" and _is_empty(d),
    ),
    Deviation(
        "Elements of one dtype among tests of another",
        "`isin` promotes them; torch casts the tests to the elements' dtype, and refuses some "
        "strided ones.",
        (Kind.VALUES, Kind.ACCEPTED),
        rows("isin"),
    ),
    Deviation(
        "Hinge losses of integers",
        "They are computed in the default float, as `1.0 - x` is; torch keeps the integers.",
        (Kind.DTYPE, Kind.ACCEPTED),
        lambda d: base_name(d.op) == "hinge_embedding_loss" and d.arrays[0].dtype.kind in "iu",
    ),
    Deviation(
        "Writing to elements that share memory",
        "An expanded tensor is not written in place; torch looks in most operators, not in all.",
        (Kind.REFUSED,),
        lambda d: (
            base_name(d.op)
            in ("baddbmm_", "addmv_", "addmm_", "addbmm_", "addr_", "renorm_", "fill_diagonal_")
            and "single memory location" in str(d.ours)
        ),
    ),
    Deviation(
        "Poles of `polygamma`",
        "Far below zero the first derivative is infinite at whole numbers as others are; torch's "
        "sine misses them.",
        (Kind.VALUES,),
        rows("polygamma", "special_polygamma"),
    ),
    Deviation(
        "Sequences and paddings that do not fit",
        "Sequences to be padded agree in all sizes but the first, and paddings come in pairs for "
        "the last dimensions of an image; torch's bare operators copy what they can.",
        (Kind.REFUSED, Kind.ACCEPTED),
        rows("pad_sequence", "_pad_circular"),
    ),
    Deviation(
        "A mask is boolean",
        "That of `native_dropout` also of no elements, for which torch gives floats.",
        (Kind.DTYPE,),
        rows("native_dropout"),
    ),
    Deviation(
        "Fewer points than none",
        "`rfftfreq` refuses a negative number of points; torch gives minus zero for -1.",
        (Kind.REFUSED,),
        rows("fft_rfftfreq"),
    ),
    Deviation(
        "What `embedding_bag` says besides",
        "The bag of each index, the sizes of bags and the places of maxima are always there; torch "
        "leaves out what its own gradient does not need.",
        (Kind.SHAPE, Kind.VALUES),
        lambda d: (
            base_name(d.op) == "embedding_bag"
            and isinstance(d.ours, tuple)
            and values_agree(d.ours[0], d.theirs[0], 1e2)
        ),
    ),
    Deviation(
        "How a tensor prints",
        "`str` of a tensor is the text that Python shows.",
        (Kind.VALUES,),
        rows("str"),
    ),
)

_HEAD = """# Where jitlang differs from torch

Every operator that torch has under the same name and overload is called with random and adversarial
arguments on both sides. Results, dtypes, shapes, strides of views, shared memory and errors are
compared (`make interop`). What differs is listed here, with its reason; nothing else may differ.
This page is written from `tests/interop/deviations.py`.

```python
import jitlang as jl

jl.tensor([]).dtype  # -> jitlang.float32
```

| what | in | why |
|---|---|---|
"""


def page() -> str:
    """The page of deviations, in Markdown."""
    lines = [
        f"| {d.title} | {'; '.join(k.value for k in d.kinds)} | {d.reason} |" for d in DEVIATIONS
    ]
    return _HEAD + "\n".join(lines) + "\n"
