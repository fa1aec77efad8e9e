"""Pointwise rows: gamma and Bessel functions, the inverse error function, entropies."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes import Category
from .elementary import bessel, gamma
from .elementary.polygamma import polygamma
from .pointwise import FLOATING, not_implemented
from .rows import alias, pointwise


def _no_complex(name: str) -> Any:
    return not_implemented(name, Category.COMPLEX)


for _name, _body, _grad in (
    ("lgamma", gamma.lgamma, None),
    ("digamma", gamma.digamma, None),
    (
        "erfinv",
        gamma.erfinv,
        lambda m, g, r, x: (g * m.exp(r * r) * (math.sqrt(math.pi) / 2),),
    ),
    ("i0", bessel.i0, None),
):
    pointwise(
        f"aten::{_name}(Tensor self) -> Tensor",
        _body,
        grad=_grad,
        result=FLOATING,
        rejects=_no_complex(f"{_name}_vml_cpu"),
    )
alias("aten::special_gammaln", "aten::lgamma")
alias("aten::special_digamma", "aten::digamma")
alias("aten::special_psi", "aten::digamma")
alias("aten::special_erfinv", "aten::erfinv")
alias("aten::special_i0", "aten::i0")


def _entropy(m: Any, x: Any) -> Any:
    """-x log(x); 0 at 0, -inf below."""
    below = m.select(m.eq(x, 0), m.constant(0, x), m.constant(-math.inf, x))
    return m.select(m.isnan(x), x, m.select(x > 0, -x * m.log(x), below))


for _name, _body, _grad in (
    ("special_i0e", bessel.i0e, None),
    ("special_i1", bessel.i1, None),
    ("special_i1e", bessel.i1e, None),
    ("special_ndtr", lambda m, x: m.erfc(x * -math.sqrt(0.5)) * 0.5, None),
    ("special_entr", _entropy, lambda m, g, r, x: (g * (-m.log(x) - 1),)),
):
    pointwise(
        f"aten::{_name}(Tensor self) -> Tensor",
        _body,
        grad=_grad,
        result=FLOATING,
        inplace=False,
        rejects=_no_complex(_name),
    )


def _polygamma(m: Any, n: int, x: Any) -> Any:
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return polygamma(m, n, x) if n else gamma.digamma(m, x)


pointwise(
    "aten::polygamma(int n, Tensor self) -> Tensor",
    _polygamma,
    result=FLOATING,
    inplace=False,
    rejects=_no_complex("polygamma"),
)
alias("aten::special_polygamma", "aten::polygamma")


def _log_gamma_of_matrices(m: Any, x: Any, p: int) -> Any:
    """The multivariate log gamma function of dimension p."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    total = gamma.lgamma(m, x) + p * (p - 1) / 4 * math.log(math.pi)
    for k in range(1, p):
        total = total + gamma.lgamma(m, x - k / 2)
    return total


pointwise(
    "aten::mvlgamma(Tensor self, int p) -> Tensor",
    _log_gamma_of_matrices,
    result=FLOATING,
    rejects=_no_complex("mvlgamma"),
    no_bool_operand="The input tensor may not be a boolean tensor.",
)
alias("aten::special_multigammaln", "aten::mvlgamma")
