"""Rows of recurrent networks, made of products and pointwise rows: LSTM, GRU and plain RNNs.

A layer multiplies the whole sequence with its input weights at once; what remains in each step is
one product with the hidden state and pointwise work. Sequences have shape (T, B, I), or (B, T, I)
where `batch_first`, hidden states (layers * directions, B, H).

The cells are those of torch. LSTM: i, f, g, o = chunks of w_ih x + b_ih + w_hh h + b_hh;
c' = sigmoid(f) c + sigmoid(i) tanh(g); h' = sigmoid(o) tanh(c'), times w_hr where there is a
projection. GRU: r, z, n = chunks; n' = tanh(n_x + sigmoid(r) n_h); h' = n' + sigmoid(z) (h - n').
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..ir.opdef import Effect
from ..ir.types import Type
from .composite import Reading, equal_parts
from .rows import composite, op, reading_of
from .rules import made, tensor_at, unknown_sizes

State = tuple[Any, ...]
"""The hidden state of one layer and direction: (h,), or (h, c) of an LSTM."""


@dataclass(frozen=True)
class Weights:
    """The parameters of one layer in one direction; biases and projection may be None."""

    w_ih: Any
    w_hh: Any
    b_ih: Any = None
    b_hh: Any = None
    w_hr: Any = None

    def of_input(self, m: Reading, x: Any) -> Any:
        """What the input adds to the gates."""
        return m.linear(x, self.w_ih, self.b_ih)

    def of_hidden(self, m: Reading, h: Any) -> Any:
        """What the hidden state adds to the gates."""
        return m.linear(h, self.w_hh, self.b_hh)


@dataclass(frozen=True)
class Cell:
    """One kind of network.

    Attributes:
        gates: how many times the hidden size the weights have rows.
        step: `step(m, what the input adds to the gates, state, weights)`, the next state.
    """

    gates: int
    step: Callable[[Reading, Any, State, Weights], State]

    def check(self, m: Reading, weights: Weights, state: State) -> None:
        """Raises RuntimeError where weights do not have a row for each gate of the state."""
        rows = self.gates * m.size(state[-1], -1)
        for name, w in (("weight_ih", weights.w_ih), ("weight_hh", weights.w_hh)):
            if m.rank(w) != 2 or m.size(w, 0) != rows:
                raise RuntimeError(
                    f"{name} first dim must be {self.gates} * hidden_size = {rows}, but got "
                    f"{[*m.shape(w)]}"
                )


def _lstm_step(m: Reading, given: Any, state: State, weights: Weights) -> State:
    h, c = state
    gates = m.add(given, weights.of_hidden(m, h))
    i, f, g, o = equal_parts(m, gates, 4)
    kept = m.mul(m.sigmoid(f), c)
    cell = m.add(kept, m.mul(m.sigmoid(i), m.tanh(g)))
    hidden = m.mul(m.sigmoid(o), m.tanh(cell))
    if weights.w_hr is not None:
        hidden = m.linear(hidden, weights.w_hr)
    return hidden, cell


def _gru_step(m: Reading, given: Any, state: State, weights: Weights) -> State:
    (h,) = state
    r_x, z_x, n_x = equal_parts(m, given, 3)
    r_h, z_h, n_h = equal_parts(m, weights.of_hidden(m, h), 3)
    reset, update = m.sigmoid(m.add(r_x, r_h)), m.sigmoid(m.add(z_x, z_h))
    new = m.tanh(m.add(n_x, m.mul(n_h, reset)))
    return (m.add(m.mul(m.sub(h, new), update), new),)


def _plain_step(activation: str) -> Callable[[Reading, Any, State, Weights], State]:
    def step(m: Reading, given: Any, state: State, weights: Weights) -> State:
        return (getattr(m, activation)(m.add(given, weights.of_hidden(m, state[0]))),)

    return step


# Layers -------------------------------------------------------------------------------------------


def _grouped(
    params: Sequence[Any], has_biases: bool, layers: int, has_projection: bool
) -> list[Weights]:
    """The parameters by layer and direction.

    Raises:
        RuntimeError: there are too few or too many.
    """
    each = (4 if has_biases else 2) + has_projection
    if len(params) != each * layers:
        raise RuntimeError(f"expected {each * layers} weights and biases, but got {len(params)}")
    groups = [params[at : at + each] for at in range(0, len(params), each)]
    return [
        Weights(
            group[0],
            group[1],
            group[2] if has_biases else None,
            group[3] if has_biases else None,
            group[-1] if has_projection else None,
        )
        for group in groups
    ]


@dataclass(frozen=True)
class _Network:
    """What one call of a recurrent row runs."""

    m: Reading
    cell: Cell
    weights: Sequence[Weights]
    directions: int
    dropout: float
    train: bool

    def layers(self, x: Any, states: Sequence[State], sizes: Sequence[int] | None) -> Any:
        """The output of the last layer, and the last states of all layers and directions.

        Args:
            x: (T, B, I), or (elements, I) packed, with how many sequences go on at each step.
            states: one for each layer and direction.
            sizes: of the packed steps, descending; None for sequences of one length.
        """
        last: list[State] = []
        for at in range(0, len(self.weights), self.directions):
            if at and self.dropout and self.train:
                x = self.m.dropout(x, self.dropout, True)
            outputs = []
            for direction in range(self.directions):
                run = _packed if sizes is not None else _even
                output, state = run(self, x, states[at + direction], at + direction, sizes or ())
                outputs.append(output)
                last.append(state)
            x = outputs[0] if len(outputs) == 1 else self.m.cat(outputs, -1)
        return x, last

    def is_reversed(self, at: int) -> bool:
        """Whether a layer and direction reads from the end."""
        return bool(at % self.directions)


def _even(net: _Network, x: Any, state: State, at: int, sizes: Sequence[int]) -> Any:
    """One layer in one direction over (T, B, I): (T, B, H) and the last state."""
    weights = net.weights[at]
    given = weights.of_input(net.m, x)
    hidden: list[Any] = [None] * len(x)
    for step in reversed(range(len(x))) if net.is_reversed(at) else range(len(x)):
        state = net.cell.step(net.m, given[step], state, weights)
        hidden[step] = state[0]
    return net.m.stack(hidden, 0), state


def _packed(net: _Network, x: Any, state: State, at: int, sizes: Sequence[int]) -> Any:
    """The same over packed steps: sequences stand in order of length, so the first of them go on.

    Forwards a sequence leaves with the state after its last step; backwards it enters with the
    first one.
    """
    weights = net.weights[at]
    given = weights.of_input(net.m, x)
    starts = [sum(sizes[:step]) for step in range(len(sizes))]
    hidden: list[Any] = [None] * len(sizes)
    whole = tuple(part.copy() for part in state)
    for step in reversed(range(len(sizes))) if net.is_reversed(at) else range(len(sizes)):
        count = sizes[step]
        going = tuple(part[:count] for part in whole)
        new = net.cell.step(net.m, given[starts[step] : starts[step] + count], going, weights)
        for part, written in zip(whole, new, strict=True):
            part[:count] = written
        hidden[step] = new[0]
    return net.m.cat(hidden, 0), whole


# Whole networks -----------------------------------------------------------------------------------


def _check_states(states: Sequence[Any], wanted: int, batch: int) -> None:
    """Raises RuntimeError where initial states do not fit the network and the batch."""
    for h in states:
        if h.ndim != 3 or h.shape[:2] != (wanted, batch):
            raise RuntimeError(f"Expected hidden size ({wanted}, {batch}, *), got {[*h.shape]}")


def _network(
    xp: Any, cell: Cell, x: Any, hx: Sequence[Any], params: Sequence[Any], has_biases: bool,
    num_layers: int, dropout: float, train: bool, bidirectional: bool,
    sizes: Sequence[int] | None,
) -> tuple[Any, ...]:  # fmt: skip
    """The output over (T, B, I) or packed steps, and the last states, each (layers, B, H)."""
    directions = 2 if bidirectional else 1
    count = num_layers * directions
    batch = x.shape[1] if sizes is None else sizes[0]
    _check_states(hx, count, batch)
    has_projection = len(hx) == 2 and hx[0].shape[2] != hx[1].shape[2]
    weights = _grouped(params, has_biases, count, has_projection)
    states = [tuple(h[at] for h in hx) for at in range(count)]
    m = reading_of(xp)
    for each, state in zip(weights, states, strict=True):
        cell.check(m, each, state)
    net = _Network(m, cell, weights, directions, dropout, train)
    output, last = net.layers(x, states, sizes)
    return (output, *(net.m.stack(list(parts), 0) for parts in zip(*last, strict=True)))


def _states_of(hx: Any) -> Sequence[Any]:
    """The parts of a state: the two of an LSTM, or the one.

    Raises:
        RuntimeError: a list holds another number.
    """
    if not isinstance(hx, list | tuple):
        return (hx,)
    if len(hx) != 2:
        raise RuntimeError("lstm expects two hidden states")
    return hx


def _check_input(x: Any) -> None:
    if x.ndim != 3:
        raise RuntimeError(f"input must have 3 dimensions, got {x.ndim}")
    if not x.shape[0] or not x.shape[1]:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")


def _recurrent(cell: Cell) -> Callable[..., Any]:
    """The kernel of `NAME.input`, for a list of states or a single one."""

    def impl(
        xp: Any, x: Any, hx: Any, params: Sequence[Any], has_biases: bool, num_layers: int,
        dropout: float, train: bool, bidirectional: bool, batch_first: bool,
    ) -> Any:  # fmt: skip
        _check_input(x)
        states = _states_of(hx)
        steps = x.swapaxes(0, 1) if batch_first else x
        output, *last = _network(
            xp, cell, steps, states, params, has_biases, num_layers, dropout, train, bidirectional,
            None,
        )  # fmt: skip
        return (output.swapaxes(0, 1) if batch_first else output, *last)

    return impl


def _recurrent_packed(cell: Cell) -> Callable[..., Any]:
    """The kernel of `NAME.data`, over packed sequences."""

    def impl(
        xp: Any, data: Any, batch_sizes: Any, hx: Any, params: Sequence[Any], has_biases: bool,
        num_layers: int, dropout: float, train: bool, bidirectional: bool,
    ) -> Any:  # fmt: skip
        states = _states_of(hx)
        if batch_sizes.ndim != 1 or data.ndim != 2:
            raise RuntimeError("packed sequences are a matrix, and a vector of sizes")
        sizes = [int(size) for size in batch_sizes]
        if not sizes or sum(sizes) != len(data) or sorted(sizes, reverse=True) != sizes:
            raise RuntimeError(
                "batch_sizes of packed sequences must descend and add up to their elements"
            )
        return _network(
            xp, cell, data, states, params, has_biases, num_layers, dropout, train, bidirectional,
            sizes,
        )  # fmt: skip

    return impl


def _cell(cell: Cell, states: int) -> Callable[..., Any]:
    """The body of one step over (B, I)."""

    def body(m: Reading, x: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
        parts = tuple(_states_of(hx))
        _check_cell(m, x, parts, w_ih, w_hh)
        weights = Weights(w_ih, w_hh, b_ih, b_hh)
        cell.check(m, weights, parts)
        state = cell.step(m, weights.of_input(m, x), parts, weights)
        return state if states > 1 else state[0]

    return body


def _check_cell(m: Reading, x: Any, states: State, w_ih: Any, w_hh: Any) -> None:
    parts = [("input", x), ("hidden", states[0]), ("hidden", states[-1])]
    for name, a in (*parts, ("w_ih", w_ih), ("w_hh", w_hh)):
        if m.rank(a) != 2:
            raise RuntimeError(f"{name} must have 2 dimensions, got {m.rank(a)}")
        if not m.dtype(a).is_floating_point:
            raise RuntimeError(f"{name} must be floating, got {m.dtype(a).graph_name}")
    for h in states:
        if m.size(h, 0) != m.size(x, 0):
            raise RuntimeError(
                f"Input batch size {m.size(x, 0)} doesn't match hidden batch size {m.size(h, 0)}"
            )


def _sequence_type(rank: int, count: int) -> Any:
    """Results of the input's dtype: the output, of a rank, and the last states."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Sequence[Type]:
        x = tensor_at(types)
        return made(x, unknown_sizes(rank)), *(made(x, unknown_sizes(3)),) * count

    return infer


def _cell_type(count: int) -> Any:
    """As many rows as the input has, as long as the hidden weights are wide."""

    def infer(types: Sequence[Type], constants: Sequence[Any]) -> Any:
        x, w_hh = tensor_at(types), tensor_at(types, 3)
        rows = x.sizes[0] if x.sizes else None
        hidden = w_hh.sizes[1] if w_hh.sizes is not None and len(w_hh.sizes) > 1 else None
        state = made(x, (rows, hidden))
        return state if count == 1 else (state,) * count

    return infer


_PARAMETERS = (
    "Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool "
    "bidirectional"
)
_CELL = "Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None"
for _name, _kind, _hidden, _states in (
    ("lstm", Cell(4, _lstm_step), "Tensor[] hx", 2),
    ("gru", Cell(3, _gru_step), "Tensor hx", 1),
    ("rnn_tanh", Cell(1, _plain_step("tanh")), "Tensor hx", 1),
    ("rnn_relu", Cell(1, _plain_step("relu")), "Tensor hx", 1),
):
    _results = f"(Tensor{', Tensor' * _states})"
    op(
        f"aten::{_name}.input(Tensor input, {_hidden}, {_PARAMETERS}, bool batch_first) -> "
        f"{_results}",
        impl=_recurrent(_kind),
        infer=_sequence_type(3, _states),
        effect=Effect.RANDOM,
        method=None,
    )
    op(
        f"aten::{_name}.data(Tensor data, Tensor batch_sizes, {_hidden}, {_PARAMETERS}) -> "
        f"{_results}",
        impl=_recurrent_packed(_kind),
        infer=_sequence_type(2, _states),
        effect=Effect.RANDOM,
        method=None,
    )
    composite(
        f"aten::{_name}_cell(Tensor input, {_hidden}, {_CELL}) -> "
        f"{'(Tensor, Tensor)' if _states == 2 else 'Tensor'}",
        _cell(_kind, _states),
        infer=_cell_type(_states),
        method=None,
    )
