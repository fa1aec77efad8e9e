"""What a test says about a value of type Optional or Union in the code that it guards."""

from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Tuple, Union

if TYPE_CHECKING:
    from harness import Tensor, normal, program, torch


def is_not_none(n: Optional[int]) -> int:
    if n is not None:
        return n + 1
    return 0


program(is_not_none, (4,), (None,), (0,), tags="is-not-none")


def is_none_return(x: Optional[Tensor], fallback: Tensor) -> Tensor:
    if x is None:
        return fallback
    return x * 2 + fallback


program(
    is_none_return, (None, normal(2)), (normal(2), normal(2)), tags="is-none-return return-early"
)


def is_none_else(name: Optional[str]) -> str:
    if name is None:
        greeting = "hello, you"
    else:
        greeting = "hello, " + name
    return greeting


program(is_none_else, (None,), ("Ada",), ("",), tags="is-none-else")


def is_none_assign(x: Tensor, state: Optional[Tensor] = None) -> Tensor:
    if state is None:
        state = torch.zeros_like(x)
    return x + state


program(is_none_assign, (normal(2, 2),), (normal(2, 2), normal(2, 2)), tags="is-none-assign")


def both_given(a: Optional[int], b: Optional[int]) -> int:
    if a is not None and b is not None:
        return a * b
    if a is not None and a > 10:
        return a
    return -1


program(both_given, (3, 4), (11, None), (2, None), (None, 5), tags="and")


def either_missing(a: Optional[int], b: Optional[int]) -> int:
    if a is None or b is None:
        return -1
    return a - b


program(either_missing, (9, 4), (1, None), (None, 1), tags="or de-morgan")


def or_in_condition(a: Optional[int]) -> bool:
    return a is None or a > 3


program(or_in_condition, (None,), (4,), (2,), tags="or")


def not_none_negated(a: Optional[float], b: Optional[float]) -> float:
    if not (a is None or b is None):
        return a / b
    if not a is None:  # noqa: E714
        return a
    return 0.5


program(not_none_negated, (1.0, 4.0), (2.0, None), (None, None), tags="not de-morgan")


def in_a_ternary(n: Optional[int], m: Optional[int]) -> int:
    a = n if n is not None else 10
    b = 20 if m is None else m + 1
    return a * b


program(in_a_ternary, (1, 2), (None, None), (3, None), tags="ternary")


def by_assertion(n: Optional[int]) -> int:
    assert n is not None
    assert n > 0, "not positive: " + str(n)
    return n * 2


program(by_assertion, (3,), fails=((None,), (-3,)), tags="assert")


def by_raise(x: Optional[Tensor], scale: float) -> Tensor:
    if x is None:
        raise ValueError("x is missing")
    return x * scale


program(by_raise, (normal(3), 2.0), fails=((None, 1.0),), tags="raise raise-in-branch")


def by_while(links: Dict[int, int], start: int) -> List[int]:
    path: List[int] = []
    at: Optional[int] = start
    while at is not None:
        path.append(at)
        at = links[at] if at in links else None
    return path


program(by_while, ({1: 5, 5: 2, 2: 9}, 1), ({}, 4), tags="while")


def by_truth(name: Optional[str], xs: Optional[List[int]]) -> str:
    if name:
        return name.upper()
    if xs:
        return str(xs[0])
    return "nothing"


program(by_truth, ("a", None), ("", [3]), (None, []), (None, None), tags="truthiness")


def or_default(name: Optional[str], n: Optional[int]) -> Tuple[str, int]:
    return name or "default", n or 7


program(or_default, ("x", 3), (None, None), ("", 0), tags="or-default")


class State(NamedTuple):
    value: Tensor
    previous: Optional[Tensor] = None
    label: Optional[str] = None


def on_attribute(state: State) -> Tensor:
    if state.previous is not None:
        return state.value - state.previous
    return state.value


program(on_attribute, (State(normal(3)),), (State(normal(3), normal(3)),), tags="attribute")


def on_attribute_and(state: State) -> str:
    if state.label is not None and len(state.label) > 1:
        return state.label[:2]
    return state.label if state.label is not None else "-"


program(
    on_attribute_and,
    (State(normal(1), None, "abc"),),
    (State(normal(1), None, "a"),),
    (State(normal(1)),),
    tags="attribute and",
)


def on_subscript(pair: Tuple[Optional[int], int]) -> int:
    if pair[0] is not None:
        return pair[0] + pair[1]
    return pair[1]


program(on_subscript, ((1, 2),), ((None, 2),), tags="subscript")


def on_list_item(xs: List[Optional[int]]) -> int:
    total = 0
    for i in range(len(xs)):
        x = xs[i]
        if x is None:
            continue
        total += x
    return total


program(on_list_item, ([1, None, 3],), ([None],), ([],), tags="loop-continue continue-for")


def in_a_comprehension(xs: List[Optional[int]]) -> List[int]:
    return [x * 2 for x in xs if x is not None]


program(in_a_comprehension, ([1, None, 3],), ([None],), tags="comprehension")


def nested_optional(x: Optional[Tensor], scale: Optional[float], shift: Optional[float]) -> float:
    if x is None:
        return -1.0
    total = x.sum().item()
    if scale is not None:
        total *= scale
        if shift is not None:
            total += shift * scale
    return total


program(
    nested_optional,
    (normal(2), 2.0, 1.0),
    (normal(2), 2.0, None),
    (normal(2), None, 3.0),
    (None, 1.0, 1.0),
    tags="nested",
)


def refined_then_lost(n: Optional[int], reset: bool) -> int:
    if n is None:
        n = 5
    doubled = n * 2
    m: Optional[int] = doubled
    if reset:
        m = None
    return -1 if m is None else m


program(refined_then_lost, (1, False), (None, False), (1, True), tags="is-none-assign ternary")


def last_seen(xs: List[int], target: int) -> Optional[int]:
    found: Optional[int] = None
    for i, x in enumerate(xs):
        if x == target:
            found = i
    return found


program(last_seen, ([1, 2, 1], 1), ([1], 5), ([], 0))


def best_of(scores: Dict[str, float]) -> Tuple[Optional[str], float]:
    best: Optional[str] = None
    best_score = float("-inf")
    for name, score in scores.items():
        if best is None or score > best_score:
            best, best_score = name, score
    return best, best_score


program(best_of, ({"a": 1.0, "b": 3.0, "c": 2.0},), ({},), tags="or")


def describe_union(v: Union[int, str, List[int]]) -> str:
    if isinstance(v, int):
        return "int " + str(v + 1)
    elif isinstance(v, str):
        return "str " + v.upper()
    else:
        return "list " + str(len(v))


program(describe_union, (3,), ("abc",), ([1, 2],), tags="isinstance isinstance-elif")


def isinstance_tuple(v: Union[int, float, str]) -> float:
    if isinstance(v, (int, float)):
        return v * 0.5
    return float(len(v))


program(isinstance_tuple, (3,), (2.5,), ("abcd",), tags="isinstance-tuple")


def isinstance_not(v: Union[str, List[str]]) -> List[str]:
    if not isinstance(v, str):
        return v
    return [v]


program(isinstance_not, ("a",), (["b", "c"],), tags="isinstance-not isinstance")


def union_variable(flag: bool, x: Tensor) -> Tensor:
    v: Union[float, Tensor] = 2.0
    if flag:
        v = x
    if isinstance(v, Tensor):
        return v + 1
    return x * v


program(union_variable, (True, normal(2)), (False, normal(2)), tags="isinstance")


def none_among_results(n: int) -> Optional[Tuple[int, str]]:
    if n < 0:
        return None
    if n > 5:
        return n, "big"
    return n, "small"


def use_optional_result(n: int) -> str:
    result = none_among_results(n)
    if result is None:
        return "none"
    value, size = result
    return size + str(value)


program(use_optional_result, (-1,), (3,), (8,), tags="is-none-return")


def equal_to_none(n: Optional[int]) -> int:
    if n == None:  # noqa: E711
        return 0
    return 1 if n != 3 else 3


program(equal_to_none, (None,), (3,), (4,))


def returns_none(xs: List[int], x: int) -> None:
    if x in xs:
        return
    xs.append(x)


program(returns_none, ([1, 2], 2), ([1, 2], 3), tags="return-early")
