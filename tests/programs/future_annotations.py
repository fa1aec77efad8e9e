"""Annotations that stay strings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harness import Tensor, normal, program


class Edge(NamedTuple):
    source: int
    target: int
    weight: float


def degrees(edges: list[Edge], n: int) -> tuple[list[int], float | None]:
    counts: list[int] = [0] * n
    heaviest: float | None = None
    for edge in edges:
        counts[edge.source] += 1
        counts[edge.target] += 1
        if heaviest is None or edge.weight > heaviest:
            heaviest = edge.weight
    return counts, heaviest


program(degrees, ([Edge(0, 1, 0.5), Edge(1, 2, 2.5)], 3), ([], 2), fails=(([Edge(0, 5, 1.0)], 2),))


def masked_mean(x: Tensor, mask: Tensor | None = None, *, keep: bool = False) -> Tensor:
    if mask is None:
        return x.mean()
    total = (x * mask).sum()
    return total if keep else total / mask.sum()


program(masked_mean, (normal(2, 3),), (normal(2, 3), normal(2, 3)))


def shortest_paths(edges: list[Edge], n: int, start: int) -> list[float]:
    distance = [float("inf")] * n
    distance[start] = 0.0
    for _ in range(n - 1):
        changed = False
        for source, target, weight in edges:
            if distance[source] + weight < distance[target]:
                distance[target] = distance[source] + weight
                changed = True
        if not changed:
            break
    return distance


program(
    shortest_paths,
    ([Edge(0, 1, 4.0), Edge(0, 2, 1.0), Edge(2, 1, 2.0), Edge(1, 3, 5.0)], 5, 0),
    ([], 1, 0),
)
