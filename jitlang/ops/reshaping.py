"""Rows that give a tensor another shape in place: `unsqueeze_` and kin.

The memory stays; the tensor holds another view of it from then on, whoever else holds the tensor.
So what is known of its sizes ends there: graphs with such rows are not optimised, and the
interpreter runs them.
"""

from __future__ import annotations

from ..ir.opdef import OPS
from .rows import op
from .rules import written_type

for _base, _name, _arguments in (
    ("aten::squeeze", "squeeze_", ""),
    ("aten::squeeze.dim", "squeeze_.dim", ", int dim"),
    ("aten::squeeze.dims", "squeeze_.dims", ", int[] dim"),
    ("aten::unsqueeze", "unsqueeze_", ", int dim"),
    ("aten::t", "t_", ""),
    ("aten::transpose.int", "transpose_", ", int dim0, int dim1"),
    ("aten::swapaxes", "swapaxes_", ", int axis0, int axis1"),
    ("aten::swapdims", "swapdims_", ", int dim0, int dim1"),
    (
        "aten::as_strided",
        "as_strided_",
        ", SymInt[] size, SymInt[] stride, SymInt? storage_offset=None",
    ),
):
    _row = OPS.find(_base)
    assert _row is not None and _row.impl is not None
    op(
        f"aten::{_name}(Tensor(a!) self{_arguments}) -> Tensor(a!)",
        impl=_row.impl,
        infer=_row.infer,
        reshapes=True,
        function=None,
    )


op(
    "aten::detach_(Tensor(a!) self) -> Tensor(a!)",
    impl=lambda xp, a: a,
    infer=written_type,
    function=None,
)
