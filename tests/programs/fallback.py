"""What the language leaves to Python: calls back, with the same values and effects."""

import re
from typing import TYPE_CHECKING, List

if TYPE_CHECKING:
    from harness import Tensor, normal, program, torch


@torch.jit.ignore
def describe(x: Tensor, name: str) -> str:
    return ", ".join(f"{name}[{i}]" for i in range(len(x)))


def ignored_callee(x: Tensor) -> str:
    return "[" + describe(x * 2, "x") + "]"


program(ignored_callee, (normal(3),), fallback=True)

LOG: List[str] = []


@torch.jit.ignore
def mutate(x: Tensor, xs: List[int]) -> None:
    x.add_(1)
    xs.append(len(xs))
    print("called back")


def ignored_effects(x: Tensor, n: int) -> Tensor:
    xs = [n]
    for _ in range(n):
        mutate(x, xs)
    return x * len(xs)


program(ignored_effects, (normal(2), 2), (normal(2), 0), fallback=True)


def numbers_in(text: str) -> List[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def foreign_callee(text: str) -> int:
    total = 0
    for number in numbers_in(text):
        total += number
    return total


program(foreign_callee, ("3 apples, 14 pears",), ("",), fallback=True)


@torch.jit.ignore
def fails_in_python(n: int) -> int:
    raise LookupError(f"nothing at {n}")


def ignored_failure(n: int) -> int:
    return n if n < 2 else fails_in_python(n)


program(ignored_failure, (1,), fails=((2,),), fallback=True)
