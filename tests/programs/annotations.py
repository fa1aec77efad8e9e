"""Every spelling of a type, evaluated when the function is defined."""

import typing
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Tuple, Union

if TYPE_CHECKING:
    from harness import Tensor, normal, program, torch


def typing_spellings(
    xs: List[Tensor], table: Dict[str, int], pair: Tuple[int, float], n: Optional[int]
) -> Tuple[List[Tensor], Dict[str, int]]:
    count: int = 0 if n is None else n
    table["sum"] = count + pair[0]
    return [x * pair[1] for x in xs], table


program(typing_spellings, ([normal(2)], {"a": 1}, (3, 0.5), 4), ([], {}, (1, 2.0), None))


def builtin_spellings(
    xs: list[torch.Tensor], table: dict[str, list[int]], pair: tuple[int, tuple[float, str]]
) -> tuple[list[torch.Tensor], dict[str, list[int]]]:
    n, (scale, name) = pair
    table[name] = [n]
    return [x * scale for x in xs], table


program(builtin_spellings, ([normal(2), normal(3)], {"k": [1]}, (3, (0.5, "new"))))


def pep_604(n: int | None, v: int | str | None = None) -> int | str:
    if v is None:
        return "none" if n is None else n
    if isinstance(v, str):
        return v + "!"
    return v + 1


program(pep_604, (1,), (None,), (2, "s"), (2, 5), (3, None))


def string_spellings(x: "Tensor", n: "int", table: "Dict[str, List[float]]") -> "Optional[Tensor]":
    scale: "float" = 0.0
    for values in table.values():
        scale += sum(values)
    return x * scale if n > 0 else None


program(string_spellings, (normal(2), 1, {"a": [1.0, 2.0]}), (normal(2), 0, {}))


def qualified_spellings(
    x: typing.Optional[torch.Tensor], names: typing.List[str]
) -> typing.Union[torch.Tensor, None]:
    return None if x is None else x * len(names)


program(qualified_spellings, (normal(2), ["a", "b"]), (None, []))

Pair = Tuple[int, int]
Table = Dict[str, Pair]


def aliased_types(table: Table, pair: Pair) -> List[Pair]:
    pairs: List[Pair] = [pair]
    for name in table:
        pairs.append(table[name])
    return pairs


program(aliased_types, ({"a": (1, 2), "b": (3, 4)}, (5, 6)), ({}, (0, 0)))


class Sample(NamedTuple):
    """Features and what they should give."""

    x: Tensor
    label: int
    name: Optional[str] = None
    weight: float = 1.0


def named_tuples(samples: List[Sample]) -> Tuple[Sample, float, int]:
    total, labels = 0.0, 0
    for sample in samples:
        total += sample.weight
        labels += sample.label
    first = samples[0]
    x, label, name, weight = first
    return Sample(x * weight, label, name=name), total, labels + first[1]


program(
    named_tuples, ([Sample(normal(2), 1), Sample(normal(2), 2, "b", weight=0.5)],), fails=(([],),)
)


def partly_annotated(x, n: int, flag: bool = False):
    y = x * n
    return -y if flag else y


program(partly_annotated, (normal(2), 3), (normal(2), 3, True))


def unannotated(a, b, t):
    return a * (1 - t) + b * t


program(
    unannotated,
    (normal(2), normal(2), 0.25),
    (1.0, 3.0, 0.5),
    (2, 10, 3),
    (normal(2), 1.0, normal(2)),
)


def unannotated_structure(items, names):
    result = {}
    for item, name in zip(items, names):
        result[name] = item
    return result, len(items)


program(unannotated_structure, ([1, 2], ["a", "b"]), ([0.5], ["x"]), ([normal(2)], ["t"]))


def unannotated_optional(x, bias=None, names=()):
    if bias is not None:
        x = x + bias
    return x, len(names)


program(unannotated_optional, (normal(2),), (normal(2), normal(2)), (1, 2), (2, None, ("a", "b")))


def default_gives_the_type(x: Tensor, scale=2.0, times=3, name="n", flag=True):
    if flag:
        for _ in range(times):
            x = x * scale
    return x, name + str(times)


program(default_gives_the_type, (normal(2),), (normal(2), 0.5, 1, "m", False))


def nothing_returned(x: Tensor):
    x.mul_(2)


program(nothing_returned, (normal(2),))


def annotated_locals(n: int) -> Tuple[int, List[float], Optional[str]]:
    count: int = n
    values: List[float] = []
    name: Optional[str] = None
    table: Dict[str, Union[int, str]] = {"a": 1, "b": "two"}
    unset: int
    unset = len(table)
    if n > 1:
        name = "many"
        values.append(n / 2)
    return count + unset, values, name


program(annotated_locals, (1,), (2,))
