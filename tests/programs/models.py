"""Pieces of models: recurrent cells, attention, normalisation, search and training by hand."""

import math
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

if TYPE_CHECKING:
    from harness import Tensor, normal, program, torch


def lstm_cell(
    x: Tensor, hidden: tuple[Tensor, Tensor], params: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    hx, cx = hidden
    w_ih, w_hh, b = params
    gates = x @ w_ih + hx @ w_hh + b
    i, f, g, o = gates.chunk(4, 1)
    cy = f.sigmoid() * cx + i.sigmoid() * g.tanh()
    return o.sigmoid() * cy.tanh(), cy


STATE = (normal(2, 4), normal(2, 4))
PARAMETERS = (normal(3, 16), normal(4, 16), normal(16))
program(lstm_cell, (normal(2, 3), STATE, PARAMETERS))


def lstm(
    xs: Tensor, state: Tuple[Tensor, Tensor], params: Tuple[Tensor, Tensor, Tensor]
) -> Tuple[Tensor, Tuple[Tensor, Tensor]]:
    outputs: List[Tensor] = []
    for x in xs.unbind(0):
        state = lstm_cell(x, state, params)
        outputs.append(state[0])
    return torch.stack(outputs), state


program(lstm, (normal(5, 2, 3), STATE, PARAMETERS), fails=((normal(0, 2, 3), STATE, PARAMETERS),))


class Multiplicative(NamedTuple):
    w_ih: Tensor
    w_hh: Tensor
    alpha: Tensor
    beta: Tensor
    bias: Tensor


def mi_lstm_cell(x: Tensor, hx: Tensor, cx: Tensor, p: Multiplicative) -> Tuple[Tensor, Tensor]:
    wx, uh = x.mm(p.w_ih), hx.mm(p.w_hh)
    gates = p.alpha * wx * uh + p.beta * (wx + uh) + p.bias
    in_gate, forget_gate, cell, out_gate = gates.chunk(4, 1)
    cy = torch.sigmoid(forget_gate) * cx + torch.sigmoid(in_gate) * torch.tanh(cell)
    return torch.sigmoid(out_gate) * torch.tanh(cy), cy


MULTIPLICATIVE = Multiplicative(normal(3, 8), normal(2, 8), normal(8), normal(8) + 1, normal(8))
program(mi_lstm_cell, (normal(1, 3), normal(1, 2), normal(1, 2), MULTIPLICATIVE))


def gru_cell(x: Tensor, h: Tensor, w: Tensor, u: Tensor, b: Optional[Tensor] = None) -> Tensor:
    wx, uh = x @ w, h @ u
    if b is not None:
        wx = wx + b
    xr, xz, xn = wx.chunk(3, 1)
    hr, hz, hn = uh.chunk(3, 1)
    reset = torch.sigmoid(xr + hr)
    update = torch.sigmoid(xz + hz)
    candidate = torch.tanh(xn + reset * hn)
    return candidate + update * (h - candidate)


program(
    gru_cell,
    (normal(2, 3), normal(2, 2), normal(3, 6), normal(2, 6)),
    (normal(2, 3), normal(2, 2), normal(3, 6), normal(2, 6), normal(6)),
)


def bidirectional_rnn(xs: List[Tensor], w: Tensor, u: Tensor) -> List[Tensor]:
    forward: List[Tensor] = []
    h = torch.zeros(xs[0].size(0), u.size(0))
    for x in xs:
        h = torch.tanh(x @ w + h @ u)
        forward.append(h)
    backward: List[Tensor] = []
    h = torch.zeros_like(h)
    for x in xs[::-1]:
        h = torch.tanh(x @ w + h @ u)
        backward.insert(0, h)
    return [torch.cat([a, b], 1) for a, b in zip(forward, backward)]


program(
    bidirectional_rnn, ([normal(2, 3), -normal(2, 3), normal(2, 3)], normal(3, 2), normal(2, 2))
)


def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor] = None
) -> Tuple[Tensor, Tensor]:
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
    if mask is not None:
        scores = torch.where(mask, scores, torch.full_like(scores, -1e9))
    weights = torch.softmax(scores, dim=-1)
    return weights @ v, weights


CAUSAL = np.tril(np.ones((3, 3), dtype=bool))
program(
    attention,
    (normal(3, 4), normal(3, 4), normal(3, 2)),
    (normal(3, 4), normal(3, 4), normal(3, 2), CAUSAL),
    (normal(2, 3, 4), normal(2, 3, 4), normal(2, 3, 4), CAUSAL),
)


def multi_head_attention(x: Tensor, w: Tensor, heads: int) -> Tensor:
    if w.size(0) % heads != 0:
        raise ValueError(f"{w.size(0)} features do not split into {heads} heads")
    steps, size = x.size(0), w.size(0) // heads
    q, k, v = (x @ w).chunk(3, 1)
    outputs: List[Tensor] = []
    for head in range(heads):
        at = slice(head * size, (head + 1) * size)
        outputs.append(attention(q[:, at], k[:, at], v[:, at])[0])
    return torch.cat(outputs, 1).view(steps, heads, size).transpose(0, 1)


program(
    multi_head_attention,
    (normal(3, 4), normal(4, 12), 2),
    fails=((normal(3, 4), normal(4, 12), 3),),
)


def layer_norm(x: Tensor, gain: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    centred = x - mean
    variance = (centred * centred).mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + eps) * gain + bias


program(layer_norm, (normal(2, 4), normal(4), normal(4)), (normal(2, 4), normal(4), normal(4), 0.1))


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))


program(gelu, (normal(3, 5),), (normal(0, 2),))


def perceptron(x: Tensor, layers: List[Tuple[Tensor, Tensor]], activation: str = "relu") -> Tensor:
    for i, (w, b) in enumerate(layers):
        x = x @ w + b
        if i == len(layers) - 1:
            break
        if activation == "relu":
            x = x.relu()
        elif activation == "tanh":
            x = x.tanh()
        else:
            raise ValueError(f"unknown activation: {activation}")
    return x


LAYERS = [(normal(3, 4), normal(4)), (normal(4, 2), normal(2))]
program(
    perceptron,
    (normal(2, 3), LAYERS),
    (normal(2, 3), LAYERS, "tanh"),
    (normal(2, 3), []),
    fails=((normal(2, 3), LAYERS, "cube"),),
)


def residual_blocks(x: Tensor, weights: Dict[str, Tensor]) -> Tuple[Tensor, List[str]]:
    applied: List[str] = []
    for name, w in weights.items():
        if w.size(1) != x.size(1):
            continue
        x = x + torch.relu(x @ w)
        applied.append(name)
    return x, applied


program(
    residual_blocks, (normal(2, 3), {"a": normal(3, 3), "skip": normal(3, 2)}), (normal(1, 2), {})
)


def gradient_descent(x: Tensor, y: Tensor, steps: int, rate: float) -> Tuple[Tensor, List[float]]:
    w = torch.zeros(x.size(1), 1)
    losses: List[float] = []
    for step in range(steps):
        error = x @ w - y
        losses.append((error * error).mean().item())
        gradient = 2.0 * x.t() @ error / x.size(0)
        w -= rate * gradient
        if step > 0 and losses[-1] > losses[-2]:
            rate *= 0.5
    return w, losses


program(
    gradient_descent, (normal(6, 2), normal(6, 1), 5, 0.1), (normal(6, 2), normal(6, 1), 0, 0.1)
)


class Beam(NamedTuple):
    score: float
    tokens: List[int]


def best_beams(candidates: List[Beam], width: int) -> List[Beam]:
    best: List[Beam] = []
    for candidate in candidates:
        at = len(best)
        while at > 0 and best[at - 1].score < candidate.score:
            at -= 1
        best.insert(at, candidate)
        if len(best) > width:
            best.pop()
    return best


def beam_search(logits: Tensor, width: int, stop: int) -> List[Beam]:
    beams = [Beam(0.0, [0])]
    scores = logits.softmax(1).log()
    for step in range(scores.size(0)):
        candidates: List[Beam] = []
        for beam in beams:
            if beam.tokens[-1] == stop and step > 0:
                candidates.append(beam)
                continue
            for token in range(scores.size(1)):
                score = beam.score + float(scores[step, token])
                candidates.append(Beam(score, beam.tokens + [token]))
        beams = best_beams(candidates, width)
    return beams


program(beam_search, (normal(3, 4), 2, 1), (normal(2, 3), 5, 0), (normal(0, 3), 1, 0))


def greedy_decode(logits: Tensor, names: List[str], stop: str = "$") -> str:
    text = ""
    for row in logits:
        best = 0
        for i in range(1, row.size(0)):
            if bool(row[i] > row[best]):
                best = i
        if names[best] == stop:
            return text
        text += names[best]
    else:
        text += "..."
    return text


program(
    greedy_decode,
    (normal(4, 3), ["a", "b", "$"]),
    (normal(0, 3), []),
    (normal(5, 3), ["x", "y", "z"]),
)


class Cache(NamedTuple):
    keys: Optional[Tensor] = None
    values: Optional[Tensor] = None
    length: int = 0


def extend_cache(cache: Cache, k: Tensor, v: Tensor) -> Cache:
    if cache.keys is None or cache.values is None:
        return Cache(k, v, 1)
    keys = torch.cat([cache.keys, k])
    values = torch.cat([cache.values, v])
    return Cache(keys, values, length=cache.length + 1)


def decode_with_cache(xs: Tensor) -> Tuple[Tensor, int]:
    cache = Cache()
    output = torch.zeros(1, xs.size(1))
    for x in xs:
        row = x.unsqueeze(0)
        cache = extend_cache(cache, row * 2, row)
        keys, values = cache.keys, cache.values
        assert keys is not None and values is not None
        output = torch.softmax(row @ keys.t(), 1) @ values
    return output, cache.length


program(decode_with_cache, (normal(3, 2),), (normal(0, 2),), tags="attribute assert and or")


def dropout_mask(x: Tensor, keep: Tensor, rate: float, training: bool) -> Tensor:
    if not training or rate == 0.0:
        return x
    assert 0.0 <= rate < 1.0, f"rate {rate:.2f} out of range"
    return x * (keep > rate).to(x.dtype) / (1.0 - rate)


program(
    dropout_mask,
    (normal(2, 3), abs(normal(2, 3)), 0.5, True),
    (normal(2, 3), abs(normal(2, 3)), 0.5, False),
    fails=((normal(2, 3), abs(normal(2, 3)), 1.5, True),),
)


def adaptive_steps(x: Tensor, w: Tensor, limit: int = 10) -> Tuple[Tensor, int]:
    halting, steps = 0.0, 0
    while halting < 0.9 and steps < limit:
        x = torch.tanh(x @ w)
        halting += torch.sigmoid(x.mean()).item() * 0.5
        steps += 1
    return x, steps


program(adaptive_steps, (normal(2, 3), normal(3, 3)), (normal(2, 3), normal(3, 3), 1))


def convolve(signal: Tensor, kernel: Tensor) -> Tensor:
    size = kernel.size(0)
    count = signal.size(0) - size + 1
    return torch.stack([(signal[i : i + size] * kernel).sum() for i in range(count)])


program(convolve, (normal(6), normal(3)), (normal(2), normal(2)), fails=((normal(2), normal(3)),))


def cross_entropy(
    logits: Tensor, targets: List[int], weights: Optional[List[float]] = None
) -> Tensor:
    total = torch.zeros(1)
    count = 0.0
    for i, target in enumerate(targets):
        if target < 0:
            continue
        row = logits[i]
        weight = 1.0 if weights is None else weights[target]
        total += weight * ((row - row.max()).exp().sum().log() + row.max() - row[target])
        count += weight
    return total / count if count > 0 else total


program(
    cross_entropy,
    (normal(3, 4), [1, -1, 2]),
    (normal(3, 4), [0, 3, 2], [0.5, 1.0, 2.0, 4.0]),
    (normal(3, 4), []),
    tags="ternary continue-for",
)


def viterbi(emissions: Tensor, transitions: Tensor) -> Tuple[List[int], float]:
    states = emissions.size(1)
    scores: List[float] = [float(emissions[0, s]) for s in range(states)]
    back: List[List[int]] = []
    for t in range(1, emissions.size(0)):
        row: List[float] = []
        origins: List[int] = []
        for s in range(states):
            origin = 0
            best = scores[0] + float(transitions[0, s])
            for r in range(1, states):
                score = scores[r] + float(transitions[r, s])
                if score > best:
                    origin, best = r, score
            row.append(best + float(emissions[t, s]))
            origins.append(origin)
        scores = row
        back.append(origins)
    state = scores.index(max(scores))
    path = [state]
    for origins in back[::-1]:
        state = origins[state]
        path.insert(0, state)
    return path, max(scores)


program(viterbi, (normal(4, 3), normal(3, 3)), (normal(1, 2), normal(2, 2)))
