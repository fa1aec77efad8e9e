"""Small functions and modules whose graphs, printed by real torch, are test data for our parser.

`SCRIPTED` are compiled from source, `PROFILED` also run until torch specialises them, `TRACED` are
recorded, `FROZEN` are frozen modules.  See `dump_torch_graphs.py`.
"""

import math
from enum import Enum
from types import FunctionType
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import torch
from torch import Tensor, nn

# --- straight lines and products ---


def scale_shift(x, scale: float, shift: int):
    return x * scale + shift


def lstm_cell(x: Tensor, hx: Tensor, cx: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor):
    gates = x @ w_ih + hx @ w_hh + b
    i, f, g, o = gates.chunk(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * cy.tanh(), cy


def mi_lstm_gates(x: Tensor, h: Tensor, w: Tensor, u: Tensor, alpha: Tensor):
    wx = x.mm(w)
    uh = h.mm(u)
    return torch.sigmoid(alpha * wx * uh + wx + uh)


def gelu(x: Tensor):
    return 0.5 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def softmax_by_hand(x: Tensor):
    e = (x - x.max()).exp()
    return e / e.sum(1, keepdim=True)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor] = None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -math.inf)
    return scores.softmax(-1) @ v


def in_place(x: Tensor):
    y = x.clone()
    y.add_(1).mul_(2.5)
    y[0] = 0
    y[:, 1:] += x[:, 1:]
    return y


def index_forms(x: Tensor, at: Tensor):
    return x[0], x[-1, ..., None], x[:, ::2], x[at], x[x > 0], x[1:, at]


def dtype_casts(x: Tensor):
    return (
        x.to(torch.float64),
        x.to(torch.bfloat16),
        x.long(),
        x.half(),
        x > 0,
        x.to("cpu", torch.int8),
    )


def devices(x: Tensor):
    d = torch.device("cpu")
    e = torch.device("cuda:1")
    return x.to(d), e, d == x.device, torch.zeros(2, device=d, dtype=torch.float32)


def split_and_stack(x: Tensor):
    a, b = x.split([1, 2], dim=1)
    rows = x.unbind(0)
    return torch.cat([a, b], 1), torch.stack(rows, dim=-1)


# --- constants ---


def float_constants():
    return [0.0, -0.0, 1.0, 1e-05, 1e300, 1e-300, 0.1, 3.141592653589793, 123456789.125, 2e16]


def special_floats():
    return math.inf, -math.inf, math.nan, math.pi, math.e


def int_constants():
    return 0, -1, 9223372036854775807, -9223372036854775807, [1, 2, 3], True, False


def complex_constants(z: complex):
    return z + 3j, 1.5 - 2j, complex(1.0, 2.0), abs(z)


def string_constants():
    return [
        "",
        "plain",
        "two\nlines",
        'a "quoted" word',
        "it's",
        "back\\slash",
        "tab\t",
        "nul\x00|\x7f",
        "%d {x} #(,)]",
        "\r\b\f\v\a\x1b",
    ]


def non_ascii_string():
    return "héllo → 世界"


def long_string():
    return """first line
  second "line" of a docstring \\ with # marks
    %3 : Tensor = aten::add(%1, %2)
"""


def list_constants():
    sizes = [2, 3, 4]
    weights = [0.5, 1.5]
    flags = [True, False]
    names = ["a", "b"]
    return torch.zeros(sizes), weights, flags, names


def tensor_constants():
    a = torch.tensor([1.5, 2.0])
    b = torch.tensor([[1, 2], [3, 4]])
    c = torch.tensor(True)
    return a, b, c, torch.tensor(0.25, dtype=torch.float64)


def none_constant(x: Tensor) -> Optional[Tensor]:
    return None


# --- control flow ---


def if_else(x: Tensor, flag: bool):
    if flag:
        y = x + 1
    else:
        y = x - 1
    return y


def elif_chain(n: int) -> str:
    if n < 0:
        return "negative"
    elif n == 0:
        return "zero"
    elif n < 10:
        return "small"
    return "large"


def while_loop(n: int):
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def for_range(x: Tensor, n: int):
    for i in range(n):
        x = x * i
    return x


def for_range_step(x: Tensor):
    total = torch.zeros_like(x)
    for i in range(10, 0, -3):
        total = total + x * i
    return total


def nested_loops(rows: int, columns: int):
    total = 0
    for i in range(rows):
        for j in range(columns):
            if i == j:
                continue
            if i + j > 7:
                break
            total += i * j
    return total


def early_return(values: List[int], target: int) -> int:
    for i, value in enumerate(values):
        if value == target:
            return i
    return -1


def while_true(limit: int):
    n = 1
    while True:
        n *= 2
        if n > limit:
            break
    return n


def for_tensor(xs: Tensor, w: Tensor):
    h = torch.zeros_like(xs[0])
    outputs = []
    for x in xs:
        h = torch.tanh(x @ w + h)
        outputs.append(h)
    return torch.stack(outputs), h


def for_zip(a: List[int], b: List[float], c: Tuple[int, int]):
    total = 0.0
    for x, y in zip(a, b):
        total += x * y
    for z in c:
        total += z
    return total


def for_dict(table: Dict[str, int]):
    names: List[str] = []
    total = 0
    for key, value in table.items():
        total += value
        names.append(key)
    for key in table:
        total += len(key)
    return names, total


def branch_on_tensor(x: Tensor):
    while bool(x.sum() < 100.0):
        if x[0, 0] > 3:
            x = x + 1
        else:
            x = x * 2
    return x


def conditional_expression(x: Tensor, n: int):
    return (x if n > 2 else -x), (1 if n else 2), n > 0 and n < 5 or n == 9, not n


# --- containers ---


def dict_literals(x: Tensor):
    table = {"a": x, "b": x + 1}
    counts = {1: 0.5, 2: 1.5}
    empty: Dict[str, int] = {}
    table["c"] = table["a"] * table["b"]
    return table, counts, empty, "a" in table, counts.get(3), list(table.keys())


def list_methods(n: int):
    xs = [3, 1, 2]
    xs.append(n)
    xs.extend([5, 6])
    xs.insert(0, 9)
    xs.sort()
    xs.reverse()
    last = xs.pop()
    return xs, last, xs[1:3], xs[::-1], len(xs), sum(xs), max(xs), xs.index(9), 3 in xs


def comprehensions(xs: List[int], x: Tensor):
    return [v * v for v in xs], {v: str(v) for v in xs}, [row.sum() for row in x]


def nested_tuples(p: Tuple[int, Tuple[Tensor, float]]):
    n, (x, scale) = p
    a, *rest = (n, 1.5, "s")
    return (x * scale, (n, (rest, a))), (n,), ()


class Point(NamedTuple):
    x: Tensor
    y: Tensor
    label: str
    weight: Optional[float] = None


def named_tuple(p: Point):
    return Point(p.y, p.x, p.label + "!", 0.5), p.x * p.y


def list_of_named_tuples(x: Tensor):
    ps = [Point(x, x, "a"), Point(x, x, "b", 2.0)]
    return ps, {"first": ps[0]}


def nested_containers(x: Dict[str, List[Tuple[int, Optional[Tensor]]]]):
    first = x["a"][0]
    maybe = first[1]
    if maybe is None:
        return torch.zeros(1)
    return maybe + first[0]


def list_unpack(xs: List[int]):
    a, b, c = xs
    return a + b * c


# --- optional, union, any ---


def optional_int(n: Optional[int]):
    if n is None:
        return 0
    return n + 1


def optional_chain(a: Optional[int], b: Optional[float]) -> float:
    if a is not None and b is not None:
        return a + b
    assert a is not None, "a is missing"
    return float(a)


def union_types(v: Union[int, str, List[int]]) -> int:
    if isinstance(v, int):
        return v
    if isinstance(v, str):
        return len(v)
    return v[0]


def any_type(v: Any) -> str:
    if isinstance(v, int):
        return "int"
    elif isinstance(v, Tensor):
        return "Tensor"
    elif torch.jit.isinstance(v, Dict[str, int]):
        return "Dict[str, int]"
    return "other"


def unwrap(x: Optional[Tensor]) -> Tensor:
    return torch.jit._unwrap_optional(x)


# --- strings, prints, exceptions ---


def f_strings(n: int, name: str):
    return f"{name} has {n} items", f"{n}", f"{{literal}} {name}"


def prints(x: Tensor, n: int):
    print("x =", x.size(0), n, 1.5, [n])
    print()
    return n


def string_methods(s: str):
    return (
        s.upper(),
        s.split(","),
        s.find("b"),
        s + "!",
        s[1:3],
        "-".join(["a", s]),
        len(s),
        s == "x",
        "%s!" % s,
    )


def asserts(n: int):
    assert n > 0
    assert n < 10, f"too large: {n}"
    return n


def raises(n: int) -> int:
    if n < 0:
        raise ValueError("negative: " + str(n))
    elif n == 0:
        raise IndexError
    return n


class ModelError(Exception):
    pass


def raises_custom(n: int) -> int:
    if n > 3:
        raise ModelError(f"got {n}")
    return n


def scalar_arithmetic(a: int, b: int, c: float):
    return (
        a + b,
        a - b,
        a * b,
        a / b,
        a // b,
        a % b,
        a**2,
        -a,
        a & b,
        a | b,
        a ^ b,
        a << 2,
        a >> 1,
        c**b,
        c // b,
    )


def math_calls(x: float, n: int):
    return (
        math.sqrt(x),
        math.floor(x),
        math.ceil(x),
        math.pow(x, 2.0),
        math.exp(x),
        math.factorial(n),
        round(x),
    )


def builtins(n: int, s: str):
    return (
        abs(-n),
        min(n, 3),
        max(n, 2.5),
        divmod(n, 3),
        ord(s),
        chr(n),
        hex(n),
        int(s),
        float(s),
        str(n),
        bool(n),
    )


# --- calls ---


def twice(x: Tensor, by: float = 2.0):
    return x * by


def calls(x: Tensor):
    return twice(twice(x), by=0.5)


@torch.jit.ignore
def python_side(x: Tensor, n: int) -> Tensor:
    return torch.from_numpy(x.numpy() + n)


def ignored_call(x: Tensor):
    return python_side(x * 2, 3) + 1


@torch.jit.unused
def never(x: Tensor) -> Tensor:
    return x


def unused_call(x: Tensor, flag: bool):
    if flag:
        return never(x)
    return x


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return grad


def custom_autograd(x: Tensor):
    return Square.apply(x)


def fork_and_wait(x: Tensor):
    future = torch.jit.fork(twice, x)
    y = x + 1
    return torch.jit.wait(future) + y


def no_grad(x: Tensor):
    with torch.no_grad():
        y = x * 2
    return y


def random_numbers(x: Tensor):
    return torch.rand(2, 3), torch.randn_like(x), torch.nn.functional.dropout(x, 0.5, True)


def functional_layers(x: Tensor, w: Tensor, b: Tensor):
    y = torch.nn.functional.linear(x, w, b)
    return torch.nn.functional.layer_norm(y, [3], eps=1e-05), torch.nn.functional.relu(
        y, inplace=True
    )


# --- classes, enums ---


class Color(Enum):
    RED = 1
    GREEN = 2


def enum_values(c: Color):
    return c == Color.RED, c.name, c.value, Color.GREEN


@torch.jit.script
class Counter:
    def __init__(self, start: int):
        self.count = start
        self.names: List[str] = []

    def step(self, name: str) -> int:
        self.count += 1
        self.names.append(name)
        return self.count


def script_class(n: int):
    counter = Counter(n)
    counter.step("first")
    return counter.step("second"), counter.names, counter


# --- modules ---


class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2)
        self.scale = 0.5

    def forward(self, x: Tensor):
        return self.second(torch.relu(self.first(x))) * self.scale


class Recurrent(nn.Module):
    hidden: Dict[str, Tensor]

    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size, size))
        self.register_buffer("offset", torch.zeros(size))
        self.hidden = {}
        self.steps = 0

    def cell(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(x @ self.weight + h + self.offset)

    @torch.jit.export
    def reset(self):
        self.steps = 0

    def forward(self, xs: List[Tensor], name: str) -> Optional[Tensor]:
        h: Optional[Tensor] = None
        for x in xs:
            h = self.cell(x, x) if h is None else self.cell(x, h)
            self.steps += 1
        if h is not None:
            self.hidden[name] = h
        return h


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 3), TwoLayers()])
        self.heads = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Identity()})
        self.tail = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Dropout(0.5))

    def forward(self, x: Tensor):
        for layer in self.layers:
            x = layer(x)
        outputs = {}
        for name, head in self.heads.items():
            outputs[name] = head(x)
        return self.tail(x), outputs


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2)

    def forward(self, x: Tensor):
        x = torch.nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        return torch.flatten(x, 1)


class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = {"a": 1, "b": 2}
        self.names = ["x", "y"]
        self.pair = (1, 2.5)
        self.limit: Optional[int] = None

    def forward(self, x: Tensor, key: str):
        if self.training and self.limit is None:
            self.names.append(key)
        if key in self.table:
            x = x * self.table[key]
        return x + self.pair[1], self.names


def x23() -> Tensor:
    return torch.arange(6.0).reshape(2, 3) / 4


HELPERS = {x23, python_side, never, twice}
SCRIPTED = [
    value
    for value in list(globals().values())
    if isinstance(value, FunctionType) and value.__module__ == __name__ and value not in HELPERS
]

torch.manual_seed(0)

MODULES = {
    "two_layers": TwoLayers(),
    "recurrent": Recurrent(3),
    "stack": Stack(),
    "conv_net": ConvNet(),
    "stateful": Stateful(),
}

PROFILED = {
    scale_shift: (x23(), 2.0, 3),
    gelu: (x23(),),
    lstm_cell: (
        x23(),
        torch.ones(2, 2),
        torch.ones(2, 2),
        torch.ones(3, 8),
        torch.ones(2, 8),
        torch.ones(8),
    ),
    softmax_by_hand: (x23(),),
    attention: (x23(), x23(), x23(), None),
    in_place: (x23(),),
    if_else: (x23(), True),
    for_range: (x23(), 3),
    for_tensor: (torch.ones(3, 2, 2), torch.ones(2, 2)),
    branch_on_tensor: (x23(),),
    index_forms: (x23(), torch.tensor([0, 1])),
    dtype_casts: (x23(),),
    named_tuple: (Point(x23(), x23(), "p", None),),
    dict_literals: (x23(),),
    split_and_stack: (x23(),),
    functional_layers: (x23(), torch.ones(3, 3), torch.ones(3)),
}

WITH_GRADIENT = {
    gelu: (x23().requires_grad_(),),
    lstm_cell: (
        x23(),
        torch.ones(2, 2),
        torch.ones(2, 2),
        torch.ones(3, 8).requires_grad_(),
        torch.ones(2, 8).requires_grad_(),
        torch.ones(8),
    ),
}


def trace_reshape(x: Tensor):
    return x.view(x.size(1), -1) + torch.ones(x.shape[1], x.shape[0])


def trace_constant(x: Tensor):
    return x * torch.tensor([1.0, 2.0, 3.0]) + torch.full((2, 3), 0.5)


def trace_structures(pair: Tuple[Tensor, Tensor], table: Dict[str, Tensor]):
    return {"sum": pair[0] + pair[1], "b": table["b"]}, (pair[0],)


def trace_in_place(x: Tensor):
    y = torch.zeros(2, 3)
    y[0, 1:] = x[1, :2]
    return y.add_(x)


TRACED = {
    gelu: (x23(),),
    lstm_cell: PROFILED[lstm_cell],
    softmax_by_hand: (x23(),),
    index_forms: (x23(), torch.tensor([0, 1])),
    split_and_stack: (x23(),),
    trace_reshape: (x23(),),
    trace_constant: (x23(),),
    trace_structures: ((x23(), x23()), {"b": x23()}),
    trace_in_place: (x23(),),
}

TRACED_MODULES = {"two_layers": (x23(),), "stack": (x23(),), "conv_net": (torch.ones(1, 1, 4, 4),)}
FROZEN = ["two_layers", "conv_net", "stateful", "recurrent"]
