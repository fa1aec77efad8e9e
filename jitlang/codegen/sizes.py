"""Launches for sizes that were not seen before, made from those of others.

Layouts that differ in their sizes only are mostly served by the same kernels, called with other
numbers: sizes, strides, counts. A *family* is such a set of layouts: in all of them some dimensions
have sizes of their own, the *varying* ones, and all else is the same. Nothing is proven about
how its numbers depend on the varying sizes. They are learned: the group is lowered for arguments
(without memory) whose varying sizes are distinct primes, so that each number of the launch factors
into the sizes that it is made of. Other examples and the sizes of a real call must give the same
kernels and the predicted numbers, else there is no family. Lowering a group takes hundreds of
microseconds, asking a family ten.

That examples stand for all sizes rests on this: numbers are products of sizes, but where a row
compares a size with a number or with another size (a slice is cut off where its array ends). In the
first example the sizes increase from one to the next; in the second they decrease, and are beyond
all numbers of the group; in the last they are the smallest that the family takes. What depends on a
comparison is not the same product in all of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from ..fuser.partition import SUBGRAPH
from ..ir.graph import CONSTANT, Graph, Use
from .launch import Array, Call, Launch, chunk_of
from .schedule import row_unit

Prepare = Callable[..., Launch | str]
Shapes = tuple[tuple[int, ...] | None, ...]

MAX_FAMILIES = 4
MAX_ATTEMPTS = 8
"""Tries to learn a family, each of which costs a few lowerings."""
SMALLEST = (2, 4, 8, 16)
"""From which size on a family may hold; sizes 0 and 1 are structure."""
SMALLEST_PRIME = 67
ENDLESS = 1 << 31
"""Numbers from here on mean no size: a slice without an end."""
_I64 = ctypes.c_int64


class Families:
    """The launches of one group.

    Args:
        prepare: lowers the group for arguments, or says why it cannot; takes the kernels of another
            launch, which may be given second, where they fit.
        form_of: what an argument that is no array decides.
        numbers: all ints in the group's graph.
    """

    def __init__(
        self,
        prepare: Prepare,
        form_of: Callable[[int, Any], Any],
        numbers: Sequence[int] = (),
    ) -> None:
        self._prepare = prepare
        self._form_of = form_of
        self._graph_numbers = numbers
        self._families: list[_Family] = []
        self._last: dict[Any, Shapes] = {}
        self._attempts = 0

    def launch_for(self, arguments: Sequence[Any]) -> Launch | str:
        """The launch of the group for arguments of this layout, or why there is none."""
        pattern = self._pattern(arguments)
        if pattern is None:
            return self._prepare(arguments)
        shapes = tuple(a.shape if isinstance(a, np.ndarray) else None for a in arguments)
        for family in self._families:
            sizes = family.sizes_of(pattern, shapes)
            if sizes is not None:
                return family.launch(sizes)
        found = self._prepare(arguments)
        before = self._last.get(pattern)
        self._last = {pattern: shapes}
        can_learn = len(self._families) < MAX_FAMILIES and self._attempts < MAX_ATTEMPTS
        if isinstance(found, Launch) and before is not None and can_learn:
            self._attempts += 1
            self._families += self._learned(pattern, before, shapes, arguments, found)
        return found

    def _pattern(self, arguments: Sequence[Any]) -> Any:
        """All of a layout but the sizes, or None where the arrays do not lie in order."""
        pattern: list[Any] = []
        for number, value in enumerate(arguments):
            if not isinstance(value, np.ndarray):
                pattern.append(self._form_of(number, value))
            elif type(value) is np.ndarray and value.flags.c_contiguous and value.flags.aligned:
                pattern.append((value.dtype, value.ndim))
            else:
                return None
        return tuple(pattern)

    def _learned(
        self, pattern: Any, before: Shapes, shapes: Shapes, arguments: Sequence[Any], real: Launch
    ) -> list[_Family]:
        """The family of two layouts, if they are of one."""
        named = _named_sizes(before, shapes)
        if named is None:
            return []
        template, sizes = named
        given = [value for value in arguments if type(value) is int]
        compared = [n for n in (*self._graph_numbers, *given) if abs(n) < ENDLESS]
        fixed = [n for shape in template for n in shape or () if type(n) is int]
        first = first_example(sizes, [*compared, *fixed])
        second = second_example(first, compared)
        learned = self._launch_like(real, template, first, arguments)
        if learned is None:
            return []
        numbers = _function([_factored(n, first) for n in _numbers(learned)], len(first))
        if list(numbers(*sizes)) != list(_numbers(real)):
            return []

        def holds(example: Sequence[int]) -> bool:
            made = self._launch_like(real, template, example, arguments)
            return made is not None and list(numbers(*example)) == list(_numbers(made))

        smallest = next((n for n in SMALLEST if holds([n] * len(sizes))), None)
        if smallest is None or not holds(second):
            return []
        return [_Family(pattern, template, real, numbers, smallest)]

    def _launch_like(
        self, real: Launch, template: Template, sizes: Sequence[int], arguments: Sequence[Any]
    ) -> Launch | None:
        """The launch for other sizes, if it differs in numbers only."""
        made = self._prepare(_without_memory(template, sizes, arguments), real)
        is_alike = isinstance(made, Launch) and _structure(made) == _structure(real)
        return made if is_alike and isinstance(made, Launch) else None


@dataclass(frozen=True, slots=True)
class _Varying:
    """A dimension whose size varies; equal numbers have equal sizes."""

    number: int


Template = tuple[tuple[int | _Varying, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class _Family:
    """Layouts that run the same kernels.

    Attributes:
        pattern: what their layouts share beside sizes.
        template: their shapes.
        model: a launch of one of them.
        numbers: gives the numbers of a launch for the varying sizes, in the order of `_numbers`.
        smallest: the size from which on that is right.
    """

    pattern: Any
    template: Template
    model: Launch
    numbers: Callable[..., tuple[int, ...]]
    smallest: int

    def sizes_of(self, pattern: Any, shapes: Shapes) -> list[int] | None:
        """The varying sizes of a layout, or None where it is not of the family."""
        if pattern != self.pattern:
            return None
        found: dict[int, int] = {}
        for shape, wanted in zip(shapes, self.template, strict=True):
            for size, part in zip(shape or (), wanted or (), strict=True):
                expected = found.setdefault(part.number, size) if type(part) is _Varying else part
                if size != expected:
                    return None
        sizes = [found[number] for number in range(len(found))]
        return sizes if min(sizes) >= self.smallest else None

    def launch(self, sizes: Sequence[int]) -> Launch:
        """The launch for these sizes."""
        numbers = iter(self.numbers(*sizes))
        return Launch(
            [_with_numbers(call, numbers) for call in self.model.calls],
            [_with_shape(array, numbers) for array in self.model.results],
            [_with_shape(array, numbers) for array in self.model.temporaries],
        )


# The numbers of a launch --------------------------------------------------------------------------


def _numbers(launch: Launch) -> Iterator[int]:
    """What may depend on sizes, in the order in which `_with_numbers` takes it."""
    for call in launch.calls:
        yield from (place.offset for place in call.places)
        yield from call.space
        yield from call.sizes
        yield from call.strides
        yield from (call.count, call.grain)
    for array in (*launch.results, *launch.temporaries):
        yield from array.shape


def _structure(launch: Launch) -> Any:
    """All else: equal for launches of one family."""
    calls = [
        (id(c.kernel), [(p.kind, p.index) for p in c.places], len(c.space), len(c.sizes), c.slots)
        for c in launch.calls
    ]
    arrays = [(a.axes, a.dtype, len(a.shape)) for a in (*launch.results, *launch.temporaries)]
    return calls, arrays, len(launch.results)


def _with_numbers(call: Call, numbers: Iterator[int]) -> Call:
    """A call with the numbers that come next."""
    places = [replace(place, offset=next(numbers)) for place in call.places]
    space = tuple(next(numbers) for _ in call.space)
    sizes = [next(numbers) for _ in call.sizes]
    strides = [next(numbers) for _ in call.strides]
    count, grain = next(numbers), next(numbers)
    return replace(
        call, places=places, space=space, sizes=(_I64 * len(sizes))(*sizes),
        strides=(_I64 * len(strides))(*strides), scratch=_scratch(call, sizes),
        count=count, grain=grain, chunk=chunk_of(call.kernel, count, grain),
    )  # fmt: skip


def _scratch(call: Call, sizes: Sequence[int]) -> int:
    """Bytes of scratch memory for other sizes; for each unit as many as before."""
    if not call.scratch:
        return 0
    layout, lanes = call.kernel.layout, call.kernel.shape.lanes
    row = slice(layout.rank - layout.row_rank, layout.rank)
    old, new = prod(call.sizes[row]), prod(sizes[row])
    across = layout.across > 0
    return call.scratch // row_unit(old, lanes, across) * row_unit(new, lanes, across)


def _with_shape(array: Array, numbers: Iterator[int]) -> Array:
    return replace(array, shape=tuple(next(numbers) for _ in array.shape))


# Learning -----------------------------------------------------------------------------------------


def _named_sizes(before: Shapes, shapes: Shapes) -> tuple[Template, list[int]] | None:
    """What varies between two layouts, each size by a number; and its sizes in the second one.

    None where nothing varies, or a size does that is structure.
    """
    named: dict[tuple[int, int], _Varying] = {}
    template: list[tuple[int | _Varying, ...] | None] = []
    for old, new in zip(before, shapes, strict=True):
        if old is None or new is None:
            template.append(None)
            continue
        parts: list[int | _Varying] = []
        for pair in zip(old, new, strict=True):
            same = pair[0] == pair[1]
            parts.append(pair[0] if same else named.setdefault(pair, _Varying(len(named))))
        template.append(tuple(parts))
    if not named or min(map(min, named)) < SMALLEST[0]:
        return None
    return tuple(template), [new for _, new in named]


def first_example(sizes: Sequence[int], numbers: Iterable[int]) -> list[int]:
    """Different primes near the sizes of a call, in their order, which divide no given number."""
    taken = list(numbers)
    found: list[int] = []
    for number in _order(sizes):
        start = max(sizes[number], SMALLEST_PRIME, *(n + 1 for n in found[-1:]))
        found += _primes_from(start, 1, taken)
    return _in_places(found, sizes)


def second_example(first: Sequence[int], numbers: Iterable[int]) -> list[int]:
    """Primes in the other order, all larger than those of the first example and the numbers."""
    above = max(*first, *(abs(n) for n in numbers), 0) + 1
    return _in_places(_primes_from(above, len(first), ())[::-1], first)


def _order(sizes: Sequence[int]) -> list[int]:
    return sorted(range(len(sizes)), key=lambda n: sizes[n])


def _in_places(found: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """What was found for the smallest size first, each in its size's place."""
    return [size for _, size in sorted(zip(_order(sizes), found, strict=True))]


def _primes_from(first: int, count: int, taken: Sequence[int]) -> list[int]:
    """The next primes that divide no number that is taken."""
    found: list[int] = []
    number = first
    while len(found) < count:
        if _is_prime(number) and all(n % number or not n for n in taken):
            found.append(number)
        number += 1
    return found


def _is_prime(number: int) -> bool:
    return all(number % factor for factor in range(2, int(number**0.5) + 1))


def numbers_in(graph: Graph) -> Iterator[int]:
    """All ints that are written in a graph and its groups, but for those that elements are computed
    with.
    """
    for node in graph.walk():
        if SUBGRAPH in node.attributes:
            yield from numbers_in(node.attributes[SUBGRAPH])
        if node.kind != CONSTANT or all(map(_is_for_elements, node.output.uses)):
            continue
        found = node.output.constant()
        for number in found if isinstance(found, list | tuple) else [found]:
            if type(number) is int:
                yield number


def _is_for_elements(use: Use) -> bool:
    return use.node.op is not None and use.node.op.is_pointwise


def _without_memory(
    template: Template, sizes: Sequence[int], arguments: Sequence[Any]
) -> list[Any]:
    """Arguments of a family with these sizes. Arrays have one element of memory only."""
    made: list[Any] = []
    for wanted, argument in zip(template, arguments, strict=True):
        if wanted is None:
            made.append(argument)
            continue
        shape = [sizes[part.number] if isinstance(part, _Varying) else part for part in wanted]
        strides = [argument.itemsize * prod(shape[at + 1 :]) for at in range(len(shape))]
        memory = np.empty(1, argument.dtype)
        made.append(np.lib.stride_tricks.as_strided(memory, shape, strides))
    return made


def _factored(number: int, primes: Sequence[int]) -> str:
    """A number as a product in which each prime is the size `s0`, `s1`, ..."""
    factors: list[str] = []
    for place, prime in enumerate(primes):
        while number and number % prime == 0:
            number //= prime
            factors.append(f"s{place}")
    return " * ".join([str(number), *factors])


def _function(products: Sequence[str], count: int) -> Callable[..., tuple[int, ...]]:
    """A function from `s0`, `s1`, ... to these products; equal ones are computed once."""
    known = {text: f"p{number}" for number, text in enumerate(dict.fromkeys(products))}
    parameters = ", ".join(f"s{number}" for number in range(count))
    lines = [f"    {name} = {text}" for text, name in known.items()]
    results = ", ".join(known[text] for text in products)
    source = "\n".join([f"def numbers({parameters}):", *lines, f"    return ({results},)"])
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    made: Callable[..., tuple[int, ...]] = namespace["numbers"]
    return made
