"""Beyond the core of the language: walrus, generator expressions."""

from typing import TYPE_CHECKING, List, Optional, Tuple

if TYPE_CHECKING:
    from harness import Tensor, normal, program


def walrus_in_conditions(xs: List[int]) -> Tuple[int, List[int]]:
    taken: List[int] = []
    while (n := len(xs)) > 1:
        taken.append(xs.pop() * n)
    if (total := sum(taken)) > 10:
        return total, taken
    return -total, taken


program(walrus_in_conditions, ([1, 2, 3],), ([1],), ([5, 6],))


def find(xs: List[int], target: int) -> Optional[int]:
    for i, x in enumerate(xs):
        if x == target:
            return i
    return None


def walrus_refinement(xs: List[int], target: int) -> int:
    if (at := find(xs, target)) is not None:
        return at * 10
    return -1


program(walrus_refinement, ([4, 5], 5), ([4], 9))


def generator_arguments(xs: List[int], x: Tensor) -> Tuple[int, bool, bool, str]:
    joined = "-".join(str(n) for n in xs)
    return (
        sum(n * n for n in xs),
        any(n > 2 for n in xs),
        all(bool(row.sum() > 0) for row in x),
        joined,
    )


program(generator_arguments, ([1, 2, 3], normal(2, 2)), ([], normal(0, 2)))
