"""What raises, with which class and message, and what has happened by then."""

from typing import TYPE_CHECKING, Dict, List, Optional

if TYPE_CHECKING:
    from harness import Tensor, normal, program, torch


def asserted(n: int, name: str) -> int:
    assert n != 1
    assert n < 10, "too large"
    assert name, f"no name for {n}"
    return n


program(asserted, (2, "a"), fails=((1, "a"), (11, "a"), (3, "")))


def raised_classes(how: int) -> int:
    if how == 0:
        raise ValueError("bad value")
    elif how == 1:
        raise KeyError("missing key")
    elif how == 2:
        raise IndexError("bad index")
    elif how == 3:
        raise TypeError
    elif how == 4:
        raise RuntimeError()
    elif how == 5:
        raise NotImplementedError("later")
    elif how == 6:
        raise ZeroDivisionError("by hand")
    return how


program(raised_classes, (7,), fails=((0,), (1,), (2,), (3,), (4,), (5,), (6,)))


class ModelError(Exception):
    """Something is wrong with a model."""


class ShapeError(ModelError):
    pass


def custom_exceptions(x: Tensor, limit: int) -> Tensor:
    if x.dim() != 2:
        raise ShapeError(f"expected 2 dimensions, got {x.dim()}")
    if x.size(0) > limit:
        raise ModelError("too many rows: " + str(x.size(0)))
    return x


program(custom_exceptions, (normal(2, 2), 5), fails=((normal(2), 5), (normal(3, 2), 1)))


def raised_after_effects(xs: List[int], x: Tensor) -> int:
    for i in range(len(xs)):
        if xs[i] < 0:
            raise ValueError(f"negative at {i}")
        xs[i] *= 10
        x[i] = -1.0
        print("done", i)
    return len(xs)


program(
    raised_after_effects,
    ([1, 2], normal(3)),
    fails=(([1, -2, 3], normal(3)),),
    tags="raise-in-loop",
)


def raised_from(n: int) -> int:
    if n > 2:
        raise ValueError("outer") from KeyError("inner")
    return n


program(raised_from, (1,), fails=((3,),))


def prepared_exception(n: int) -> int:
    message = "n is " + str(n)
    if n < 0:
        raise ValueError(message)
    else:
        return n


program(prepared_exception, (1,), fails=((-1,),), tags="raise-in-branch")


def checked_positive(n: int) -> int:
    if n <= 0:
        raise ValueError(f"{n} is not positive")
    return n


def raised_by_callee(xs: List[int]) -> int:
    total = 0
    for x in xs:
        total += checked_positive(x)
    return total


program(raised_by_callee, ([1, 2],), fails=(([1, 0],),))


def arithmetic_errors(a: int, b: int, how: int) -> float:
    if how == 0:
        return a / b
    elif how == 1:
        return float(a // b)
    elif how == 2:
        return float(a << b)
    return float(a >> b)


program(
    arithmetic_errors,
    (6, 3, 0),
    (7, 4, 1),
    (1, 5, 2),
    (-9, 1, 3),
    fails=((1, 0, 0), (1, 0, 1), (1, -1, 2), (1, -1, 3)),
)


def modulo(a: int, b: int) -> int:
    return a % b


program(modulo, (7, 3), (-7, 3), fails=((1, 0),))


def parsing_errors(text: str, as_float: bool) -> float:
    return float(text) if as_float else float(int(text))


program(parsing_errors, ("1e3", True), (" 12 ", False), fails=(("1.5", False), ("abc", True)))


def lookup_errors(xs: List[float], table: Dict[int, str], i: int) -> str:
    return table[i] + str(xs[i])


program(lookup_errors, ([0.5], {0: "a"}, 0), fails=(([0.5], {}, 0), ([0.5], {1: "b"}, 1)))


def tensor_index_errors(x: Tensor, i: int) -> Tensor:
    return x[i] * 2


program(tensor_index_errors, (normal(2, 2), 1), (normal(2, 2), -2), fails=((normal(2, 2), 2),))


def tensor_shape_errors(x: Tensor, w: Tensor) -> Tensor:
    return x @ w


program(tensor_shape_errors, (normal(2, 3), normal(3, 2)), fails=((normal(2, 3), normal(2, 3)),))


def tensor_broadcast_errors(x: Tensor, y: Tensor) -> Tensor:
    return x + y


program(tensor_broadcast_errors, (normal(2, 3), normal(3)), fails=((normal(2, 3), normal(2)),))


def unreachable_after_raise(x: Optional[Tensor]) -> Tensor:
    if x is None:
        message = "nothing given"
        raise RuntimeError(message)
    elif x.numel() == 0:
        return torch.zeros(1)
    else:
        y = x * 2
    return y


program(unreachable_after_raise, (normal(2),), (normal(0),), fails=((None,),), tags="raise")


def always_raises(n: int) -> int:
    raise NotImplementedError(f"case {n}")


def raises_unless_reached(n: int) -> int:
    if n == 0:
        return 0
    if n == 1:
        return always_raises(n)
    return n * 2


program(raises_unless_reached, (0,), (2,), fails=((1,),))
