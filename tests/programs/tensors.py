"""Tensors: shapes, indexing, slicing, views and in-place operators, reductions, factories."""

from typing import TYPE_CHECKING, Dict, List, Tuple

import numpy as np

if TYPE_CHECKING:
    from harness import Tensor, normal, program, torch


def pointwise(x: Tensor) -> List[Tensor]:
    return [
        x.exp(),
        torch.tanh(x),
        x.sigmoid(),
        torch.relu(x),
        x.abs().sqrt(),
        (x * x + 1).log(),
        -x,
    ]


program(pointwise, (normal(2, 3),), (normal(4),), (normal(0),))


def matrix_products(a: Tensor, b: Tensor, v: Tensor) -> List[Tensor]:
    return [a @ b, a.mm(b), torch.matmul(a, b), a.t() @ a, v @ b, a @ v, v @ v]


program(matrix_products, (normal(3, 3), normal(3, 3), normal(3)))


def shape_queries(x: Tensor) -> Tuple[int, int, int, int, List[int], bool, int, int]:
    rows, columns = x.shape
    return x.dim(), x.ndim, x.size(0), x.size(-1), list(x.shape), rows == columns, x.numel(), len(x)


program(shape_queries, (normal(2, 3),), (normal(3, 3),), fails=((normal(2),),))


def shape_results(x: Tensor):
    return x.shape, x.size(), x.shape[-1]


program(shape_results, (normal(2, 3),))


def methods_of_choices(x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor]:
    return x.where(x > y, y), (x > 0).where(y > 0, x > y)


program(methods_of_choices, (normal(2, 3), normal(3, 3)[0]))


def casts_of_what_is_cast(x: Tensor) -> Tuple[Tensor, List[bool]]:
    same = x.float()
    same += 1.0
    return x, [same is x, x.double() is x, x.byte() is x, x.char() is x, x.cpu() is x]


program(casts_of_what_is_cast, (normal(2, 3) ** 2,))


def dtype_queries(x: Tensor, n: Tensor) -> List[bool]:
    return [
        x.dtype == torch.float32,
        n.dtype == torch.int64,
        x.dtype == n.dtype,
        (x > 0).dtype == torch.bool,
        (x + n).dtype == x.dtype,
        torch.zeros(2).dtype == torch.float32,
    ]


program(
    dtype_queries, (normal(2), np.array([1, 2])), (normal(2).astype("float64"), np.array([1, 2]))
)


def dtype_conversions(x: Tensor) -> List[Tensor]:
    return [x.to(torch.float64), x.to(torch.int64), (x > 0).to(x.dtype), x.to(torch.float32)]


program(dtype_conversions, (normal(2, 2) * 10,), (np.array([1, 0, 2]),))


def indexing_forms(x: Tensor, i: int) -> List[Tensor]:
    return [
        x[0],
        x[-1],
        x[i],
        x[0, 1],
        x[i][1],
        x[..., 0],
        x[:, i],
        x[None, 0],
        x[..., None],
        x[0, ..., i],
    ]


program(indexing_forms, (normal(2, 3, 2), 1), fails=((normal(2, 3, 2), 4),))


def slicing_forms(x: Tensor, a: int, b: int) -> List[Tensor]:
    return [
        x[a:],
        x[:b],
        x[a:b],
        x[:, a:b],
        x[::2],
        x[a:, :-1],
        x[-2:],
        x[5:],
        x[..., 1:],
        x[None, a:b, 0],
    ]


program(slicing_forms, (normal(3, 4), 1, 3))


def advanced_indexing(x: Tensor, at: Tensor, mask: Tensor) -> List[Tensor]:
    return [x[at], x[mask], x[x > 0], x[at, at], x[0][at], x[:, at], x[[0, 2]]]


program(advanced_indexing, (normal(3, 3), np.array([2, 0]), np.array([True, False, True])))


def indexed_stores(x: Tensor, at: Tensor) -> Tensor:
    x[0] = 1.0
    x[1, 1] = x[0, 0] * 5
    x[:, 2] = torch.zeros(3)
    x[x > 1] = 0.5
    x[at] = -1
    x[2:, :1] += 10
    return x


program(indexed_stores, (normal(3, 3), np.array([1])))


def listed_positions(
    x: Tensor, rows: List[int], columns: List[int]
) -> Tuple[Tensor, Tensor, Tensor]:
    picked = x[rows]
    both = x[1, columns]
    x[:, columns] += 10
    x[rows] = 0.5
    return picked, both, x


program(
    listed_positions,
    (normal(3, 3), [2, 0], [1]),
    (normal(3, 3), [], [1, 2]),
    (normal(3, 3), [1], []),
    fails=((normal(3, 3), [3], []), (np.array(1.0, dtype=np.float32), [0], [])),
)


def whole_dimensions(x: Tensor, i: int) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    x[..., :, :] += 1.0
    return x[:, :], x[:, None, :], x[i, :], x[i][:]


program(
    whole_dimensions,
    (normal(3, 2), 1),
    (normal(2, 3, 2), 1),
    fails=((normal(3), 1), (np.array(1.0, dtype=np.float32), 0)),
)


def parts_behind_masks(x: Tensor, mask: Tensor, columns: Tensor) -> List[Tensor]:
    picked = [x[mask, 0], x[mask, 1:], x[mask, None], x[mask, columns]]
    return [*picked, x[..., 0, mask], x[..., None, mask], x[..., mask]]


program(
    parts_behind_masks,
    (normal(3, 3, 3, 3), normal(3, 3) > 0, np.array(1)),
    (normal(3, 3, 3, 3), (normal(3, 3) > 0).astype(np.uint8), np.array(2)),
    (normal(4, 2, 4), np.array([True, False, False, True]), np.array([1, 0])),
    (normal(4, 2, 4), np.array([True, False, False, True]), np.array([False, True])),
    fails=((normal(2, 2), normal(2, 2) > 0, np.array(0)),),
)


def stores_behind_masks(x: Tensor, mask: Tensor) -> Tensor:
    x[mask, -1] = 5.0
    x[..., mask] *= 2.0
    return x


program(
    stores_behind_masks,
    (normal(3, 3, 3, 3), normal(3, 3) > 0),
    (normal(4, 2, 4), np.array([True, False, False, True])),
    fails=((normal(2, 2), normal(2, 2) > 0),),
)


def views_share_memory(x: Tensor) -> Tuple[Tensor, Tensor]:
    row = x[0]
    column = x[:, 1]
    flat = x.view(-1)
    transposed = x.t()
    row.mul_(2)
    column.add_(1)
    flat[0] = 100.0
    transposed[1, 1] = -7.0
    return x, x.reshape(3, 2)


program(views_share_memory, (normal(2, 3),))


def clones_do_not_share(x: Tensor) -> Tuple[Tensor, Tensor]:
    y = x.clone()
    y.zero_()
    z = x + 0
    z[0] = 9.0
    return y, z


program(clones_do_not_share, (normal(2, 2),))


def in_place_methods(x: Tensor, y: Tensor) -> Tensor:
    x.add_(1).mul_(y)
    x.add_(y, alpha=2)
    y.copy_(x)
    x[0].zero_()
    return x


program(in_place_methods, (normal(2, 3), normal(2, 3)))


def loop_with_mutation(x: Tensor, n: int) -> Tensor:
    for i in range(n):
        x[i] += x[i - 1]
        x.mul_(0.5)
    return x


program(loop_with_mutation, (normal(4), 4), (normal(4), 0), fails=((normal(2), 3),))


def shape_changes(x: Tensor) -> List[Tensor]:
    return [
        x.view(3, 2),
        x.reshape(-1),
        x.view(-1, 1),
        x.t(),
        x.transpose(0, 1),
        x.unsqueeze(0),
        x.unsqueeze(-1).squeeze(-1),
        x.unsqueeze(1).squeeze(),
        x.reshape([1, 6]),
    ]


program(shape_changes, (normal(2, 3),), fails=((normal(2, 2),),))


def join_and_split(x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor, List[Tensor], Tensor]:
    joined = torch.cat([x, y], dim=0)
    stacked = torch.stack([x, y], 1)
    a, b = stacked.chunk(2, 1)
    parts = [part * 2 for part in joined.split(1)]
    return joined, a - b, parts, torch.cat((x, x, y), 1)


program(join_and_split, (normal(2, 3), normal(2, 3)))


def split_results(x: Tensor) -> Tuple[int, Tensor, Tensor]:
    pieces = x.split([1, 2], dim=1)
    thirds = torch.chunk(x, 3, dim=1)
    columns = x.unbind(1)
    return len(pieces) + len(thirds) + len(columns), pieces[1] + thirds[0], columns[-1]


program(split_results, (normal(2, 3),))


def sequences_of_tensors(x: Tensor):
    return x.chunk(2, 1), x.unbind(0)


program(sequences_of_tensors, (normal(2, 4),))


def reductions(x: Tensor) -> List[Tensor]:
    return [
        x.sum(),
        x.sum(0),
        x.sum(dim=1, keepdim=True),
        x.mean(),
        x.mean(-1),
        x.max(),
        x.min(),
        torch.sum(x, [0, 1]),
        x.softmax(1),
        torch.softmax(x, dim=0),
    ]


program(reductions, (normal(2, 3),))


def factories(n: int, x: Tensor) -> List[Tensor]:
    return [
        torch.zeros(n),
        torch.zeros(n, 2),
        torch.ones([n, n]),
        torch.zeros_like(x),
        torch.ones_like(x),
        torch.full((2, n), 0.5),
        torch.arange(n),
        torch.arange(1, n + 1),
        torch.arange(0.0, 1.0, 0.25),
        torch.zeros(2, dtype=torch.int64),
        torch.full([n], 7),
    ]


program(factories, (3, normal(2)), (1, normal(1, 2)))


def tensor_literals(n: int, x: float) -> List[Tensor]:
    return [
        torch.tensor(1),
        torch.tensor([1.0, 2.0]),
        torch.tensor([[n, 2], [3, 4]]),
        torch.tensor([x, 2.0 * x]),
        torch.tensor([True, False]),
        torch.tensor([n, n], dtype=torch.float32),
    ]


program(tensor_literals, (5, 0.5))


def selections(x: Tensor, y: Tensor) -> List[Tensor]:
    return [
        torch.where(x > y, x, y),
        torch.where(x > 0, x, torch.zeros_like(x)),
        x.clamp(-0.5, 0.5),
        torch.clamp(x, min=0.0),
        x.clamp(max=1),
    ]


program(selections, (normal(2, 3), normal(2, 3).T.copy().reshape(2, 3)))


def to_python(
    x: Tensor, n: Tensor
) -> Tuple[float, int, List[float], List[List[float]], bool, float]:
    xs: List[float] = x[0].tolist()
    rows: List[List[float]] = x.tolist()
    return x[0, 0].item(), int(n[0]), xs, rows, bool(x[0, 0] > 0), float(n.sum())


program(to_python, (normal(2, 2), np.array([3, 4])))


def broadcasting(x: Tensor, row: Tensor, column: Tensor, scalar: Tensor) -> List[Tensor]:
    return [x + row, x * column, row + column, x / scalar, scalar * row, scalar + 1]


program(broadcasting, (normal(2, 3), normal(3), normal(2, 1), np.array(2.0, dtype=np.float32)))


def empty_tensors(x: Tensor) -> Tuple[Tensor, Tensor, int, Tensor]:
    total = x.sum()
    for row in x:
        total = total + row.max()
    return x * 2, total, x.numel(), torch.cat([x, torch.ones(1, x.size(1))])


program(empty_tensors, (normal(0, 3),), (normal(2, 3),))


def scalars_and_tensors(x: Tensor, n: int) -> List[Tensor]:
    count = x.size(0)
    scale = 1.0 / count
    total = x.sum() * scale + n
    for i in range(count):
        total = total + x[i] * i / (n + 1)
    return [total, total * count, n - total, scale**2 * total]


program(scalars_and_tensors, (normal(3), 2), fails=((normal(0), 1),))


def running_statistics(xs: List[Tensor]) -> Dict[str, Tensor]:
    mean = torch.zeros_like(xs[0])
    spread = torch.zeros_like(xs[0])
    for n, x in enumerate(xs, 1):
        delta = x - mean
        mean = mean + delta / n
        spread = spread + delta * (x - mean)
    return {"mean": mean, "variance": spread / len(xs)}


program(running_statistics, ([normal(3), normal(3) * 2, -normal(3)],), fails=(([],),))


def cumulative_sums(x: Tensor) -> Tensor:
    result = torch.zeros_like(x)
    running = torch.zeros(x.size(1))
    for i in range(x.size(0)):
        running += x[i]
        result[i] = running
    return result


program(cumulative_sums, (normal(4, 2),), (normal(0, 2),))


def power_iteration(a: Tensor, steps: int) -> Tuple[float, Tensor]:
    v = torch.ones(a.size(0), 1)
    for _ in range(steps):
        v = a @ v
        v = v / (v * v).sum().sqrt()
    return (v.t() @ a @ v).item(), v


program(power_iteration, ((normal(3, 3) @ normal(3, 3).T), 10), (np.eye(2, dtype=np.float32), 0))


def gaussian_elimination(a: Tensor, b: Tensor) -> Tensor:
    a, b = a.clone(), b.clone()
    n = a.size(0)
    for i in range(n):
        pivot = i
        for row in range(i + 1, n):
            if bool(a[row, i].abs() > a[pivot, i].abs()):
                pivot = row
        if pivot != i:
            saved, saved_b = a[i].clone(), b[i].clone()
            a[i], b[i] = a[pivot], b[pivot]
            a[pivot], b[pivot] = saved, saved_b
        for row in range(i + 1, n):
            factor = a[row, i] / a[i, i]
            a[row] -= factor * a[i]
            b[row] -= factor * b[i]
    x = torch.zeros_like(b)
    for i in range(n - 1, -1, -1):
        x[i] = (b[i] - (a[i] * x).sum()) / a[i, i]
    return x


program(
    gaussian_elimination,
    (np.array([[0.0, 2, 1], [1, -2, -3], [-1, 1, 2]]), np.array([-8.0, 0, 3])),
)
