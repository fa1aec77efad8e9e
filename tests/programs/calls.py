"""How functions are called, and what they can read from outside."""

import math
from typing import TYPE_CHECKING, Dict, List, Tuple

if TYPE_CHECKING:
    from harness import Tensor, normal, program, torch


def affine(x: Tensor, scale: float = 2.0, shift: float = 0.0) -> Tensor:
    return x * scale + shift


def defaults_and_keywords(x: Tensor) -> List[Tensor]:
    return [
        affine(x),
        affine(x, 3.0),
        affine(x, shift=1.0),
        affine(shift=1.0, x=x, scale=0.5),
        affine(x, 0.5, 0.25),
    ]


program(defaults_and_keywords, (normal(2, 2),))


def clip(x: float, *, low: float, high: float) -> float:
    return low if x < low else high if x > high else x


def keyword_only(xs: List[float]) -> List[float]:
    return [clip(x, low=-1.0, high=1.0) for x in xs]


program(keyword_only, ([-3.0, 0.5, 2.0],))


def padded(text: str, *, width: int = 5, fill: str = ".") -> str:
    while len(text) < width:
        text += fill
    return text


def keyword_only_defaults(text: str) -> Tuple[str, str, str]:
    return padded(text), padded(text, width=3), padded(text, fill="*", width=7)


program(keyword_only_defaults, ("ab",), ("abcdef",))


def weighted(a: int, b: int, /, weight: int = 2) -> int:
    return a * weight + b


def positional_only(n: int) -> int:
    return weighted(n, 1) + weighted(n, 2, weight=3) + weighted(n, 3, 4)


program(positional_only, (5,))


def total(*values: int) -> int:
    result = 0
    for value in values:
        result += value
    return result


def variadic_callee(a: int, b: int) -> Tuple[int, int, int]:
    return total(), total(a), total(a, b, a * b)


program(variadic_callee, (3, 4))


def first_and_rest(first: Tensor, *rest: Tensor, scale: float = 1.0) -> Tensor:
    for x in rest:
        first = first + x * scale
    return first


def starred_arguments(xs: List[Tensor], pair: Tuple[Tensor, Tensor]) -> List[Tensor]:
    return [first_and_rest(*pair), first_and_rest(xs[0], *pair, scale=2.0)]


program(starred_arguments, ([normal(2)], (normal(2), normal(2))))


def starred_list(xs: List[int]) -> int:
    return total(*xs) + total(1, *xs, 2)


program(starred_list, ([1, 2, 3],), ([],))


def options(x: float, **settings: float) -> float:
    for name, value in settings.items():
        x = x * value if name == "scale" else x + value
    return x


def keyword_dictionary(x: float) -> Tuple[float, float, float]:
    return options(x), options(x, scale=2.0), options(x, shift=1.0, scale=3.0)


program(keyword_dictionary, (1.5,))


def forwarded(*args: float, **kwargs: float) -> float:
    return options(*args, **kwargs)


def keyword_forwarding(x: float) -> float:
    return forwarded(x, scale=0.5) + forwarded(x)


program(keyword_forwarding, (3.0,))


def called_by_signature(x, y):
    return x + y


def generic_callee(x: Tensor, n: int, name: str) -> Tuple[Tensor, int, float, str, List[int]]:
    return (
        called_by_signature(x, x),
        called_by_signature(n, n),
        called_by_signature(n, 0.5),
        called_by_signature(name, "!"),
        called_by_signature([n], [n]),
    )


program(generic_callee, (normal(2), 3, "hey"))

LIMIT = 3
RATE = 0.125
TITLE = "result"
VERBOSE = False
SIZES = (2, 3)
WEIGHTS = [0.5, 0.25]
CODES = {"a": 1, "b": 2}


def global_constants(x: Tensor) -> Tuple[Tensor, str, int]:
    for _ in range(LIMIT):
        x = x * RATE
    if VERBOSE:
        x = x.undefined_method()
    return x + SIZES[0], TITLE + str(LIMIT), SIZES[1]


program(global_constants, (normal(2),))


def global_containers(name: str, xs: List[float]) -> float:
    result = 0.0
    for x, weight in zip(xs, WEIGHTS):
        result += x * weight
    return result * CODES[name]


program(global_containers, ("a", [1.0, 2.0]), ("b", [4.0]), fails=(("z", [1.0]),))


def make_scaled_sum(scale: float, names: Tuple[str, ...]):
    def helper(x: Tensor) -> Tensor:
        return x * scale

    def scaled_sum(x: Tensor, y: Tensor) -> Tuple[Tensor, int]:
        return helper(x) + helper(y), len(names)

    return scaled_sum


scaled_sum = make_scaled_sum(0.5, ("a", "b"))
program(scaled_sum, (normal(2), normal(2)))


def make_power(exponent: int):
    def powered(n: int) -> int:
        result = 1
        for _ in range(exponent):
            result *= n
        return result

    return powered


powered = make_power(3)
program(powered, (2,), (-3,), overflows=((3000000,),))


def is_even(n: int) -> bool:
    return n % 2 == 0


def half(n: int) -> int:
    return n // 2


def step(n: int) -> int:
    return half(n) if is_even(n) else 3 * n + 1


def calls_of_calls(n: int) -> List[int]:
    values = [n]
    while values[-1] != 1:
        values.append(step(values[-1]))
    return values


program(calls_of_calls, (6,), (1,))


def several_results(x: Tensor) -> Tuple[Tensor, Tensor, int]:
    return x.sum(), x.mean(), x.numel()


def unpacked_results(x: Tensor) -> Tensor:
    s, m, n = several_results(x)
    again = several_results(x * 2)
    return s - m * n + again[1]


program(unpacked_results, (normal(3, 2),))


def append_twice(xs: List[int], x: int) -> int:
    xs.append(x)
    xs.append(x)
    return len(xs)


def effects_in_order(xs: List[int], table: Dict[str, int]) -> Tuple[int, List[int]]:
    n = append_twice(xs, 1) * 10 + append_twice(xs, 2)
    table["n"] = n
    return (n if append_twice(xs, 3) > 0 else 0), xs


program(effects_in_order, ([], {}), ([9], {"n": 0}))


def activate(x: Tensor, how: str) -> Tensor:
    if how == "relu":
        return torch.relu(x)
    elif how == "tanh":
        return torch.tanh(x)
    raise ValueError(f"unknown activation {how}")


def dispatch_by_name(x: Tensor, names: List[str]) -> Tensor:
    for name in names:
        x = activate(x, name)
    return x


program(
    dispatch_by_name, (normal(3), ["tanh", "relu"]), (normal(3), []), fails=((normal(2), ["no"]),)
)


def hypotenuse(a: float, b: float) -> float:
    return math.sqrt(a**2 + b**2)


def namespace_aliases(a: float, x: Tensor) -> Tuple[float, Tensor]:
    root = hypotenuse
    activation = torch.tanh
    return root(a, a), activation(x)


program(namespace_aliases, (3.0, normal(2)))
