"""Rows over lists, dicts and tuples against Python: results, effects, exceptions, messages."""

import copy

import pytest
from calling import call, outcome_of, run

INT_MAX = 2**63 - 1


def effect(function, container, *args, **kwargs):
    """What a call does: its outcome, and the container afterwards."""
    target = copy.deepcopy(container)
    return outcome_of(function, target, *args, **kwargs), target


LIST_METHODS = {
    "extend": [([4, 5],), ([],)],
    "insert": [(0, 9), (9, 9), (-1, 9)],
    "pop": [(), (0,), (-1,), (7,)],
    "remove": [(2,), (9,)],
    "reverse": [()],
    "clear": [()],
    "count": [(1,), (9,)],
    "index": [(2,), (9,), (1, 1), (2, 0, 1)],
    "copy": [()],
}


@pytest.mark.parametrize("name", LIST_METHODS)
@pytest.mark.parametrize("values", [[1, 2, 3], [2, 1, 2]])
def test_list_methods(name, values):
    for args in LIST_METHODS[name]:
        ours = effect(lambda t, *a: call(name, t, *a), values, *args)
        assert ours == effect(getattr(list, name), values, *args), args


def test_append_returns_none_in_python_and_the_list_in_torch():
    values = [1]
    assert call("append", values, 2) is None
    assert call("aten::append.t", values, 3) is values
    assert values == [1, 2, 3]


def test_errors_of_empty_lists():
    assert outcome_of(run, "aten::pop.t", []) == outcome_of([].pop)
    assert outcome_of(run, "aten::pop.t", [1], 5) == outcome_of([1].pop, 5)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "values", [[3, 1, 2], [2.5, -1.0], ["b", "a", "B"], [True, False], [(2, "a"), (1, "b")]]
)
def test_sorting(values, reverse):
    assert call("sorted", values, reverse=reverse) == sorted(values, reverse=reverse)
    target = list(values)
    call("sort", target, reverse=reverse)
    assert target == sorted(values, reverse=reverse)


def test_list_items():
    for index in [0, -1, 3, -4]:
        assert outcome_of(call, "__getitem__", [1, 2, 3], index) == outcome_of(
            [1, 2, 3].__getitem__, index
        )
        ours = effect(lambda t, i: call("_set_item", t, i, 9) and None, [1, 2, 3], index)
        assert ours == effect(lambda t, i: t.__setitem__(i, 9), [1, 2, 3], index)
        ours = effect(lambda t, i: call("Delete", t, i), [1, 2, 3], index)
        assert ours == effect(list.__delitem__, [1, 2, 3], index)


BOUNDS = [
    (None, None, 1),
    (1, None, 1),
    (None, -1, 1),
    (None, None, -1),
    (5, 0, -2),
    (0, 9, 2),
    (3, 1, 1),
    (0, 3, 0),
]


@pytest.mark.parametrize("bounds", BOUNDS)
def test_list_slices(bounds):
    values = [0, 1, 2, 3, 4]
    where = slice(*bounds)
    assert outcome_of(call, "slice", values, *bounds) == outcome_of(values.__getitem__, where)
    for new in ([9], [7, 8, 9], []):
        ours = effect(lambda t, v, *b: run("jit::_set_item.slice", t, v, *b), values, new, *bounds)
        assert ours == effect(lambda t, v, *b: t.__setitem__(slice(*b), v), values, new, *bounds)
    ours = effect(lambda t, *b: call("jit::Delete.slice", t, *b), values, *bounds)
    assert ours == effect(lambda t, *b: t.__delitem__(slice(*b)), values, *bounds)


def test_list_operators():
    a, b = [1, 2], [3]
    assert call("add", a, b) == [1, 2, 3]
    assert call("mul", a, 2) == call("mul", 2, a) == [1, 2, 1, 2]
    assert call("add_", a, b) is a and a == [1, 2, 3]
    assert call("mul_", b, 2) is b and b == [3, 3]
    assert call("len", a) == 3
    assert call("__contains__", ["a"], "b") is False
    assert call("__contains__", [1.0, 2.0], 1) is True
    assert call("eq", [1, 2], [1, 2]) is True
    assert call("ne", [[1]], [[2]]) is True
    assert call("lt", [1, 2], [1, 3]) is True
    assert call("list", (1, 2)) == [1, 2]
    assert call("reversed", [1, 2]) == [2, 1]


def test_list_reductions():
    assert call("sum", [1, 2, 3]) == 6
    assert call("sum", [0.1] * 10) == sum([0.1] * 10)
    assert call("sum", [True, True]) == 2
    assert call("sum", [1, 2], 10) == 13
    assert outcome_of(call, "sum", [INT_MAX, 1])[0] is OverflowError
    assert call("any", [0, 1]) is True
    assert call("all", ["a", ""]) is False
    assert call("all", [0.0]) is False


DICTS = [{"a": 1, "b": 2}, {1: "x", 2: "y"}, {(1, 2): 0.5}, {2.5: "q"}, {True: 1}]


@pytest.mark.parametrize("values", DICTS)
def test_dicts(values):
    key = next(iter(values))
    other = {str: "zz", int: 77, tuple: (9, 9), float: -1.5, bool: False}[type(key)]
    item = values[key]
    for k in (key, other):
        assert outcome_of(call, "__getitem__", values, k) == outcome_of(values.__getitem__, k)
        assert call("get", values, k) == values.get(k)
        assert call("get", values, k, item) == values.get(k, item)
        assert call("__contains__", values, k) is (k in values)
        for name, args in (("pop", (k,)), ("pop", (k, item)), ("setdefault", (k, item))):
            ours = effect(lambda t, *a, n=name: call(n, t, *a), values, *args)
            assert ours == effect(getattr(dict, name), values, *args)
        ours = effect(lambda t, a: call("Delete", t, a), values, k)
        assert ours == effect(dict.__delitem__, values, k)
        ours = effect(lambda t, a: call("_set_item", t, a, item), values, k)
        assert ours == effect(lambda t, a: t.__setitem__(a, item), values, k)
    assert call("len", values) == len(values)
    for name in ("keys", "values", "items"):
        assert call(name, values) == list(getattr(values, name)())
    assert call("list", values) == list(values)
    for name in ("popitem", "clear", "copy"):
        assert effect(lambda t, n=name: call(n, t), values) == effect(getattr(dict, name), values)
    assert call("dict", list(values.items())) == values
    assert call("eq", values, dict(values)) is True
    assert call("__or__", values, {other: item}) == values | {other: item}
    target = dict(values)
    call("update", target, {other: item})
    assert target == values | {other: item}
    target = dict(values)
    call("update", target, [(other, item)])
    assert target == values | {other: item}


def test_dict_copies_do_not_share():
    values = {"a": 1}
    for name in ("copy", "dict"):
        made = call(name, values)
        assert made == values and made is not values


def test_fromkeys():
    assert call("fromkeys", ["a", "b"], 0) == {"a": 0, "b": 0}


def test_tuples():
    assert call("jit::tuple_index", (1, 2, 3), -1) == 3
    assert outcome_of(call, "jit::tuple_index", (1,), 5) == outcome_of((1,).__getitem__, 5)
    assert call("jit::tuple_contains", (1, "a"), "a") is True
    assert call("jit::tuple_count", (1, 1), 1) == 2
    assert outcome_of(call, "jit::tuple_find", (1, 2), 3) == outcome_of((1, 2).index, 3)


def test_unpacking():
    def two(values):
        a, b = values

    def starred(values):
        a, *b, c = values

    for values in ([], [1], [1, 2], [1, 2, 3]):
        assert outcome_of(call, "jit::check_unpack", list(values) or (), 2) == outcome_of(
            two, values
        )
        ours = outcome_of(call, "jit::check_unpack.star", list(values) or (), 1, 1)
        assert ours == outcome_of(starred, values)
