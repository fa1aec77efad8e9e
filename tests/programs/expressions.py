"""Operators, comparisons and boolean expressions: what they return and what they evaluate."""

from typing import TYPE_CHECKING, Dict, List, Optional, Tuple

if TYPE_CHECKING:
    from harness import Tensor, normal, program, torch


def comparisons(a: int, b: int, x: float, s: str) -> List[bool]:
    return [
        a < b,
        a <= b,
        a > b,
        a >= b,
        a == b,
        a != b,
        a < x,
        x >= b,
        s == "a",
        s != "a",
        s < "b",
    ]


program(comparisons, (1, 2, 1.5, "a"), (2, 2, 2.0, "c"))


def container_comparisons(xs: List[int], t: Tuple[int, str], d: Dict[str, int]) -> List[bool]:
    return [xs == [1, 2], xs != [1, 2], t == (1, "a"), t != (1, "a"), d == {"a": 1}, len(d) == 1]


program(container_comparisons, ([1, 2], (1, "a"), {"a": 1}), ([], (2, "a"), {"a": 2}))


def logged(log: List[str], name: str, value: int) -> int:
    log.append(name)
    return value


def chained_comparisons(a: int, b: int, c: int) -> Tuple[bool, bool, bool, List[str]]:
    log: List[str] = []
    between = logged(log, "a", a) < logged(log, "b", b) <= logged(log, "c", c)
    return between, a == b == c, 0 <= a < 10 != c, log


program(chained_comparisons, (1, 2, 3), (3, 2, 1), (2, 2, 2), (5, 5, 10))


def boolean_operands(a: int, b: int, s: str, xs: List[int]) -> Tuple[int, int, str, List[int]]:
    return a and b, a or b, s or "empty", xs or [a]


program(boolean_operands, (2, 3, "s", [1]), (0, 3, "", []), (2, 0, "", [0]))


def short_circuits(a: int, b: int) -> Tuple[int, List[str]]:
    log: List[str] = []
    chosen = logged(log, "a", a) and logged(log, "b", b) or logged(log, "c", 5)
    if logged(log, "d", a) > 1 or logged(log, "e", b) > 1:
        chosen += 10
    return chosen, log


program(short_circuits, (1, 2), (0, 2), (2, 0), (0, 0))


def guarded_access(xs: List[int], i: int, table: Dict[str, int]) -> Tuple[bool, int]:
    positive = i < len(xs) and xs[i] > 0
    return positive, table["a"] if "a" in table else -1


program(guarded_access, ([1], 0, {"a": 3}), ([1], 1, {}), ([-1], 0, {}))


def negations(n: int, s: str, xs: List[int], flag: bool) -> List[bool]:
    return [not n, not s, not xs, not flag, not not n, not (n > 1 and flag)]


program(negations, (0, "", [], False), (2, "a", [1], True))


def identity_tests(n: Optional[int], flag: bool) -> List[bool]:
    return [n is None, n is not None, None is None, flag is True, flag is not True]


program(identity_tests, (None, True), (3, False))


def membership(n: int, s: str, xs: List[int], table: Dict[str, int]) -> List[bool]:
    return [
        n in xs,
        n not in xs,
        n in (1, 2, 3),
        s in table,
        s not in table,
        s in "abc",
        s in ["a", "b"],
        n not in [5, 6],
    ]


program(membership, (1, "a", [1, 2], {"a": 0}), (5, "z", [], {}), (9, "bc", [9], {"z": 1}))


def ternaries(n: int, x: Tensor) -> Tuple[str, Tensor, int]:
    size = "small" if n < 10 else "medium" if n < 100 else "large"
    return size, (x if n % 2 else -x), (n or 1) if n >= 0 else -n


program(
    ternaries, (3, normal(2)), (50, normal(2)), (100, normal(2)), (-4, normal(2)), (0, normal(2))
)


def ternary_evaluates_one_arm(xs: List[int], i: int) -> Tuple[int, List[str]]:
    log: List[str] = []
    value = xs[i] if i < len(xs) else logged(log, "missing", -1)
    return value, log


program(ternary_evaluates_one_arm, ([4], 0), ([4], 1))


def precedence(a: int, b: int, x: float) -> Tuple[int, int, float, bool, int, float]:
    # fmt: off
    return (
        -a**2 + b,
        a + b * 2 - (a - b) * 3 // 2,
        -x / 2.0 * 3.0,
        not a == b and a | 1 & b > 2,
        a << 1 + 1 & 0xFF ^ b,
        2.0**-x**2,
    )
    # fmt: on


program(precedence, (3, 5, 1.5), (2, 2, 0.5))


def tensor_arithmetic(x: Tensor, y: Tensor, n: int, s: float) -> List[Tensor]:
    return [x + y, x - s, n * x, x / n, s / (x * x + 1), -x, x**2, 2.0**x, x @ y.t(), abs(x)]


program(tensor_arithmetic, (normal(2, 3), normal(2, 3), 3, 0.5))


def tensor_comparisons(x: Tensor, y: Tensor, n: int) -> List[Tensor]:
    return [x < y, x <= 0.5, x > n, 0 >= x, x == x, x != y, (x > 0) & (y > 0), (x > 0) | ~(y > 0)]


program(tensor_comparisons, (normal(2, 3), normal(2, 3)[::-1].copy(), 0))


def integer_tensors(n: int) -> List[Tensor]:
    a = torch.arange(n)
    b = torch.tensor([3, -1, 2])
    return [a + 1, a * 2.5, a / 2, b // 2, b % 2, a == 1, b**2, -b, a.sum(), b.max(), b & 1, b << 1]


program(integer_tensors, (4,), (0,))


def promotions(x: Tensor, n: Tensor, d: Tensor, flags: Tensor) -> List[Tensor]:
    return [x + n, x * d, n * 2, n * 2.0, flags + 1, flags * x, n / n, x + 1, d * 2, flags & flags]


program(
    promotions,
    (
        normal(3),
        normal(3).astype("int64"),
        normal(3).astype("float64"),
        normal(3) > 0,
    ),
)


def tensor_truth(x: Tensor) -> Tuple[bool, int, float, str]:
    first = x[0]
    name = "positive" if first > 0 else "negative"
    if not x.sum():
        name += ", sums to zero"
    return bool(first), int(first), float(first), name


program(tensor_truth, (normal(3),), (normal(3) * 0,), (-normal(3),), fails=((normal(2, 2),),))


def literals() -> Tuple[int, int, int, float, float, str, bool, None, List[float], Tuple[int]]:
    return 1_000, 0xFF, 0b101, 1e-3, 0.5, "a" "b", True, None, [1.0, 2.5], (1,)  # fmt: skip


program(literals, ())
