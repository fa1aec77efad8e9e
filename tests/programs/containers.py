"""Lists, tuples and dicts: displays, comprehensions, indexing, slicing and methods."""

from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Tuple

if TYPE_CHECKING:
    from harness import Tensor, normal, program


def list_indexing(xs: List[int], i: int) -> List[int]:
    return [xs[0], xs[-1], xs[i], xs[-i]]


program(list_indexing, ([1, 2, 3], 1), fails=(([1, 2], 5), ([], 0)))


def list_slicing(xs: List[int], a: int, b: int) -> List[List[int]]:
    return [
        xs[:],
        xs[a:],
        xs[:b],
        xs[a:b],
        xs[-2:],
        xs[:-1],
        xs[::2],
        xs[::-1],
        xs[b:a:-1],
        xs[-1:-4:-2],
        xs[10:],
        xs[a:b][::-1],
    ]


program(list_slicing, ([0, 1, 2, 3, 4, 5], 1, 4), ([7], 0, 1), ([], 0, 0), ([1, 2, 3], -2, 10))


def slice_is_a_copy(xs: List[int]) -> Tuple[List[int], List[int]]:
    ys = xs[:]
    zs = xs
    ys[0] = 100
    zs[1] = 200
    return xs, ys


program(slice_is_a_copy, ([1, 2, 3],))


def list_methods(xs: List[int]) -> Tuple[List[int], int, int, List[int]]:
    ys = xs.copy()
    ys.append(5)
    ys.extend([1, 2])
    ys.insert(1, 9)
    ys.insert(-1, 8)
    ys.remove(1)
    popped = ys.pop() + 10 * ys.pop(2)
    ys.sort()
    ys.reverse()
    where = ys.index(9)
    count = ys.count(5)
    xs.clear()
    return ys, popped, where + 10 * count, xs


program(list_methods, ([1, 2, 3],), ([1],), ([],))


def list_operators(xs: List[int], n: int) -> Tuple[List[int], List[int], bool, int, int]:
    return xs + [n], xs * n, n in xs, len(xs), sum(xs + [n])


program(list_operators, ([1, 2], 2), ([], 3), ([5], 0))


def sorted_values(xs: List[float], names: List[str]) -> Tuple[List[float], List[str], List[float]]:
    ordered = sorted(xs)
    xs.sort(reverse=True)
    return ordered, sorted(names), xs


program(sorted_values, ([2.0, -1.0, 0.5], ["b", "a"]), ([], []))


def missing_items(xs: List[int], table: Dict[str, int], key: str, how: int) -> int:
    if how == 0:
        return table[key]
    elif how == 1:
        return xs.index(7)
    elif how == 2:
        xs.remove(7)
        return len(xs)
    elif how == 3:
        return xs.pop()
    return table.pop(key)


program(
    missing_items,
    ([7], {"a": 1}, "a", 0),
    ([1, 7], {"a": 1}, "a", 1),
    ([1, 7, 7], {}, "a", 2),
    fails=(([1], {}, "b", 0), ([1], {}, "", 1), ([], {}, "", 2), ([], {}, "", 3), ([], {}, "c", 4)),
)


def list_comprehensions(xs: List[int], words: List[str]) -> Tuple[List[int], List[int], List[str]]:
    squares = [x * x for x in xs]
    lengths = [len(word) for word in words]
    labels = [word + str(i) for i, word in enumerate(words)]
    return squares, lengths, labels


program(list_comprehensions, ([1, -2], ["a", "bcd"]), ([], []))


def conditional_comprehensions(xs: List[int], limit: int) -> List[List[int]]:
    return [
        [x for x in xs if x > limit],
        [x if x > 0 else -x for x in xs],
        [x * 10 for x in xs if x % 2 == 0 if x < 7],
        [i for i in range(limit) if i not in xs],
    ]


program(conditional_comprehensions, ([5, -4, 2, 8], 3), ([], 2))


def nested_comprehensions(n: int, table: List[List[int]]) -> Tuple[List[List[int]], List[int]]:
    grid = [[i * j for j in range(n)] for i in range(n)]
    flat = [value for row in table for value in row if value > 0]
    return grid, flat


program(nested_comprehensions, (3, [[1, -2], [], [3]]), (0, []))


def comprehension_scope(x: int, xs: List[int]) -> Tuple[int, List[int]]:
    ys = [x * 2 for x in xs]
    zs = [y + x for y in ys]
    return x, zs


program(comprehension_scope, (100, [1, 2]))


def comprehensions_over(
    x: Tensor, table: Dict[str, int], pairs: List[Tuple[int, float]], text: str
) -> Tuple[List[Tensor], List[str], List[float], List[str]]:
    return (
        [row.sum() for row in x],
        [key + str(value) for key, value in table.items()],
        [n * y for n, y in pairs],
        [letter + "." for letter in text],
    )


program(comprehensions_over, (normal(2, 3), {"a": 1, "b": 2}, [(1, 0.5), (2, 2.0)], "xyz"))


def dict_comprehensions(words: List[str], table: Dict[str, int]) -> List[Dict[str, int]]:
    lengths = {word: len(word) for word in words}
    positive = {key: value * 2 for key, value in table.items() if value > 0}
    numbered = {word: i for i, word in enumerate(words)}
    return [lengths, positive, numbered]


program(dict_comprehensions, (["a", "bb", "a"], {"x": 1, "y": -1}), ([], {}))


def dict_displays(
    n: int, x: Tensor
) -> Tuple[Dict[str, Tensor], Dict[int, str], Dict[str, List[int]]]:
    tensors = {"x": x, "double": x * 2}
    names = {n: "n", n + 1: "next", 3: "three"}
    empty: Dict[str, List[int]] = {}
    empty["new"] = [n]
    return tensors, names, empty


program(dict_displays, (1, normal(2)), (2, normal(2)))


def dict_methods(table: Dict[str, int]) -> Tuple[List[str], List[int], int, Dict[str, int]]:
    other = table.copy()
    other.update({"z": 26, "a": 100})
    added = other.setdefault("new", 5)
    found = other.get("a", -1) + other.get("missing", -10)
    popped = other.pop("z")
    maybe = other.get("nothing")
    if maybe is None:
        found += 1000
    return list(other.keys()), list(other.values()), added + found + popped, other


program(dict_methods, ({"a": 1, "b": 2},), ({},))


def dict_order(names: List[str]) -> Dict[str, int]:
    counts: Dict[str, int] = {}
    for name in names:
        counts[name] = counts[name] + 1 if name in counts else 1
    del counts[names[0]]
    counts[names[0]] = 0
    return counts


program(dict_order, (["b", "a", "b", "c"],), fails=(([],),))


def int_keys(xs: List[int]) -> Tuple[Dict[int, int], int]:
    table: Dict[int, int] = {}
    for x in xs:
        table[x % 3] = table.get(x % 3, 0) + x
    return table, max(list(table.values()))


program(int_keys, ([1, 2, 3, 4, 5],), fails=(([],),))


def tuple_operations(t: Tuple[int, str, float], u: Tuple[int, int]) -> Tuple[float, str, int, bool]:
    joined = u + (5, 6)
    return t[0] * t[-1], t[1] + str(len(t)), joined[2] + u[0], 2 in u


program(tuple_operations, ((1, "a", 0.5), (2, 3)))


def tuple_slices(
    t: Tuple[int, int, int, int],
) -> Tuple[Tuple[int, int], Tuple[int, int, int, int], int]:
    return t[1:3], t[::-1], t[-1]


program(tuple_slices, ((1, 2, 3, 4),))


def empty_tuple_and_nesting(x: Tensor) -> Tuple[Tuple[()], Tuple[Tensor, Tuple[int, List[str]]]]:
    return (), (x, (1, ["a"]))


program(empty_tuple_and_nesting, (normal(1),))


class Config(NamedTuple):
    sizes: List[int]
    rate: float = 0.5
    names: Optional[Dict[str, int]] = None


def nested_structures(configs: Dict[str, Config]) -> Tuple[List[int], float, Dict[str, Config]]:
    sizes: List[int] = []
    rate = 1.0
    for config in configs.values():
        for size in config.sizes:
            sizes.append(size)
        rate *= config.rate
        names = config.names
        if names is not None:
            names["seen"] = len(sizes)
    configs["sum"] = Config(sizes, rate)
    return sizes, rate, configs


program(nested_structures, ({"a": Config([1, 2]), "b": Config([3], 0.25, {"n": 1})},), ({},))


def aliases_in_containers(xs: List[int]) -> Tuple[List[List[int]], Dict[str, List[int]]]:
    rows = [xs, xs]
    table = {"xs": xs}
    rows[0].append(1)
    table["xs"].append(2)
    rows[1] = [0]
    return rows, table


program(aliases_in_containers, ([9],))


def two_sum(xs: List[int], target: int) -> Optional[Tuple[int, int]]:
    seen: Dict[int, int] = {}
    for i, x in enumerate(xs):
        if target - x in seen:
            return seen[target - x], i
        seen[x] = i
    return None


program(two_sum, ([2, 7, 11, 15], 9), ([1, 2], 10), ([], 0))


def transpose_lists(rows: List[List[int]]) -> List[List[int]]:
    return [[row[i] for row in rows] for i in range(len(rows[0]))]


program(transpose_lists, ([[1, 2, 3], [4, 5, 6]],), fails=(([],), ([[1, 2], [3]],)))


def merge_intervals(intervals: List[Tuple[int, int]]) -> List[Tuple[int, int]]:
    merged: List[Tuple[int, int]] = []
    for start, end in intervals:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


program(merge_intervals, ([(1, 3), (2, 6), (8, 10), (10, 12)],), ([],))


def knapsack(weights: List[int], values: List[int], capacity: int) -> Tuple[int, List[int]]:
    best = [[0] * (capacity + 1) for _ in range(len(weights) + 1)]
    for i in range(1, len(weights) + 1):
        for room in range(capacity + 1):
            best[i][room] = best[i - 1][room]
            if weights[i - 1] <= room:
                taken = best[i - 1][room - weights[i - 1]] + values[i - 1]
                best[i][room] = max(best[i][room], taken)
    chosen: List[int] = []
    room = capacity
    for i in range(len(weights), 0, -1):
        if best[i][room] != best[i - 1][room]:
            chosen.insert(0, i - 1)
            room -= weights[i - 1]
    return best[-1][capacity], chosen


program(knapsack, ([1, 3, 4], [15, 20, 30], 4), ([], [], 3))


def breadth_first(graph: Dict[str, List[str]], start: str) -> List[str]:
    order = [start]
    queue = [start]
    while queue:
        node = queue.pop(0)
        if node not in graph:
            continue
        for neighbour in graph[node]:
            if neighbour in order:
                continue
            order.append(neighbour)
            queue.append(neighbour)
    return order


program(breadth_first, ({"a": ["b", "c"], "b": ["d"], "c": ["d", "a"]}, "a"), ({}, "z"))


def permutations(n: int) -> List[List[int]]:
    rows: List[List[int]] = [[]]
    for value in range(n):
        longer: List[List[int]] = []
        for row in rows:
            for at in range(len(row) + 1):
                longer.append(row[:at] + [value] + row[at:])
        rows = longer
    return rows


program(permutations, (3,), (0,))


def spread_displays(
    xs: List[int], t: Tuple[int, int]
) -> Tuple[List[int], Tuple[int, int, int, int]]:
    return [0, *xs, *t], (*t, *t)


program(spread_displays, ([1, 2], (3, 4)), ([], (5, 6)))
