"""Every form of binding, rebinding and deleting."""

from typing import TYPE_CHECKING, Dict, List, Tuple

if TYPE_CHECKING:
    from harness import Tensor, normal, program


def chained(n: int) -> Tuple[int, int, List[int]]:
    a = b = n + 1
    xs = ys = [a]
    ys.append(b)
    a += 1
    return a, b, xs


program(chained, (1,))


def swapped(a: int, b: int, c: int) -> Tuple[int, int, int]:
    a, b = b, a
    a, b, c = c, a, b
    return a, b, c


program(swapped, (1, 2, 3))


def nested_targets(p: Tuple[int, Tuple[str, Tuple[float, int]]]) -> Tuple[float, str]:
    n, (name, (x, m)) = p
    (a, b), c = (n, m), x
    [d, e] = [a, b]
    return c * d + e, name


program(nested_targets, ((1, ("a", (0.5, 2))),))


def starred_targets(t: Tuple[int, int, int, int]) -> Tuple[int, List[int], int, List[int]]:
    first, *middle, last = t
    *start, end = t
    return first, list(middle), last + end, list(start)


program(starred_targets, ((1, 2, 3, 4),))


def starred_list_targets(xs: List[int]) -> Tuple[int, List[int]]:
    head, *tail = xs
    while len(tail) > 1:
        head, *tail = tail
    return head, tail


program(starred_list_targets, ([1, 2, 3],), ([7],), fails=(([],),))


def list_unpacking(xs: List[float]) -> float:
    a, b, c = xs
    return a * b - c


program(list_unpacking, ([1.0, 2.0, 3.0],), fails=(([1.0],), ([1.0, 2.0, 3.0, 4.0],)))


def tensor_unpacking(x: Tensor) -> Tensor:
    a, b = x
    (c, d), e = x.split(1, 0), x.sum()
    return a - b + c.sum() * d.mean() + e


program(tensor_unpacking, (normal(2, 3),), fails=((normal(3, 2),),))


def augmented_integers(a: int, b: int) -> List[int]:
    seen: List[int] = []
    a += b
    seen.append(a)
    a -= 2 * b
    seen.append(a)
    a *= b
    seen.append(a)
    a //= 3
    seen.append(a)
    a %= 50
    seen.append(a)
    a **= 2
    seen.append(a)
    a <<= 2
    seen.append(a)
    a >>= 1
    seen.append(a)
    a &= 0xFF
    seen.append(a)
    a |= 0x100
    seen.append(a)
    a ^= b
    seen.append(a)
    return seen


program(augmented_integers, (17, 5), (-9, 4))


def augmented_floats(x: float, y: float) -> List[float]:
    z = x
    z += y
    z *= x
    z -= 1.0
    z /= y
    w = z
    w //= 0.5
    v = abs(z)
    v **= 0.5
    u = z
    u %= 1.5
    return [z, w, v, u]


program(augmented_floats, (1.5, 2.0), (-3.0, 0.25))


def augmented_containers(text: str, xs: List[int]) -> Tuple[str, List[int]]:
    alias = xs
    text += "!"
    xs += [4]
    xs *= 2
    alias.append(0)
    return text, xs


program(augmented_containers, ("a", [1]), ("", []))


def augmented_targets(xs: List[int], table: Dict[str, float], x: Tensor) -> Tensor:
    xs[0] += 5
    xs[-1] *= 2
    table["a"] -= 0.5
    x[0] *= 2
    x[:, 1] += 1
    x += 1
    x /= 2
    return x


program(augmented_targets, ([1, 2], {"a": 1.0}, normal(2, 3)))


def tensor_augmentation_aliases(x: Tensor) -> Tuple[Tensor, Tensor]:
    y = x
    y += 1
    z = x[0]
    z *= 3
    x = x - 1
    return x, y


program(tensor_augmentation_aliases, (normal(2, 2),))


def matmul_in_place(x: Tensor, w: Tensor) -> Tensor:
    x @= w
    return x


program(matmul_in_place, (normal(2, 2), normal(2, 2)))


def stores(xs: List[int], table: Dict[str, int], x: Tensor) -> None:
    xs[1] = xs[0] = 7
    table["new"], table["old"] = 1, xs[0]
    x[0] = 0.0
    x[1, 1:] = x[2, :2]
    x[-1] = x[0] + 1


program(stores, ([1, 2], {"old": 0}, normal(3, 3)), fails=(([1], {}, normal(3, 3)),))


def deleted(xs: List[int], table: Dict[str, int]) -> int:
    temporary = xs[0] * 2
    n = temporary + 1
    del temporary
    del xs[0]
    del table["a"]
    del xs[-1], table["b"]
    return n


program(
    deleted,
    ([1, 2, 3], {"a": 1, "b": 2, "c": 3}),
    fails=(([1, 2], {"b": 1}), ([1], {"a": 1, "b": 1})),
)


def rebound_types(n: int) -> Tuple[str, Tuple[int, str]]:
    x = n
    x = str(x)
    x = x + "!"
    y = [n]
    y = (y[0], x)
    return x, y


program(rebound_types, (3,))


def evaluation_order(xs: List[int]) -> List[int]:
    i = 0
    i, xs[i] = 2, 10
    xs[i], i = i, 0
    xs[i] += xs.pop()
    return xs


program(evaluation_order, ([1, 2, 3, 4],))


def underscore_targets(pairs: List[Tuple[int, str]]) -> Tuple[int, str]:
    total, text = 0, ""
    for n, _ in pairs:
        total += n
    for _, name in pairs:
        text += name
    _ = total
    return _, text


program(underscore_targets, ([(1, "a"), (2, "b")],), ([],))
