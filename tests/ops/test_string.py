"""Rows over str against Python's own methods: values, exceptions and messages."""

import pytest
from calling import call, outcome_of

TEXTS = [
    "",
    "a",
    "abc",
    " Ab c\t\n",
    "ÄÖ ß",
    "aXbXc",
    "12",
    "½",
    "tab\tbed",
    "x\r\ny",
    "a b  c",
    "abcabc",
]
NO_ARGUMENTS = [
    "upper",
    "lower",
    "capitalize",
    "title",
    "swapcase",
    "casefold",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "strip",
    "lstrip",
    "rstrip",
    "split",
    "rsplit",
    "splitlines",
    "expandtabs",
]
CALLS = {
    "strip": [("ab",), (" a",)],
    "lstrip": [("a",)],
    "rstrip": [("c",)],
    "split": [("X",), (" ", 1), ("",), ("b", -1)],
    "rsplit": [("X", 1), (" ",)],
    "splitlines": [(True,)],
    "expandtabs": [(4,)],
    "center": [(7,), (7, "*"), (2,), (5, "ab")],
    "ljust": [(6, ".")],
    "rjust": [(6,)],
    "zfill": [(5,), (0,)],
    "join": [(["1", "2"],)],
    "partition": [("X",), ("",)],
    "rpartition": [("X",)],
    "replace": [("a", "zz"), ("a", "", 1), ("", "-")],
    "removeprefix": [("a",), ("x",)],
    "removesuffix": [("c",)],
    "find": [("b",), ("b", 1), ("c", 0, -1), ("", 9)],
    "rfind": [("a",), ("a", 0, 2)],
    "index": [("b",), ("zz",), ("b", 0, -1)],
    "rindex": [("c",), ("q",)],
    "count": [("a",), ("",), ("c", 0, -1)],
    "startswith": [("a",), ("b", 1), ("",)],
    "endswith": [("c",), ("b", 0, -1)],
}


@pytest.mark.parametrize("name", NO_ARGUMENTS)
def test_methods_without_arguments(name):
    for text in TEXTS:
        assert outcome_of(call, name, text) == outcome_of(getattr(str, name), text), text


@pytest.mark.parametrize("name", CALLS)
def test_methods(name):
    for text in TEXTS:
        for args in CALLS[name]:
            assert outcome_of(call, name, text, *args) == outcome_of(
                getattr(str, name), text, *args
            ), (text, args)


def test_keywords():
    assert call("split", "a b c", maxsplit=1) == ["a", "b c"]
    assert call("rsplit", "a-b-c", sep="-", maxsplit=1) == ["a-b", "c"]
    assert call("splitlines", "a\nb", keepends=True) == ["a\n", "b"]


def test_several_prefixes():
    assert call("startswith", "abc", ["x", "ab"]) is True
    assert call("endswith", "abc", ["x", "y"]) is False


def test_translate():
    assert call("translate", "abc", {97: "x"}) == "xbc"


def test_operators():
    assert call("add", "a", "b") == "ab"
    assert call("mul", "ab", 3) == "ababab"
    assert call("mul", -1, "ab") == ""
    assert call("len", "äb") == 2
    assert call("__contains__", "abc", "bc") is True
    assert call("list", "abc") == ["a", "b", "c"]


def test_items():
    for index in [0, -1, 3, -4]:
        assert outcome_of(call, "__getitem__", "abc", index) == outcome_of("abc".__getitem__, index)
    for bounds in [
        (None, None, 1),
        (1, None, 1),
        (None, None, -1),
        (-2, 9, 1),
        (2, 0, -1),
        (0, 3, 2),
    ]:
        assert call("slice", "abcde", *bounds) == "abcde"[slice(*bounds)]
    assert outcome_of(call, "slice", "abc", 0, 2, 0) == outcome_of(lambda: "abc"[0:2:0])


FORMATS = [
    ("{:.2f} {0}", (1.5,)),
    ("{} {}", (1, "a")),
    ("{1} {0:>4}", (1, 2)),
    ("{{}}", ()),
    ("{:,}", (12345,)),
    ("{} {}", (1,)),
    ("{!r:>5}", ("a",)),
    ("{:d}", (1.5,)),
    ("{", ()),
]


@pytest.mark.parametrize(("text", "values"), FORMATS)
def test_format(text, values):
    assert outcome_of(call, "jit::format", text, *values) == outcome_of(text.format, *values)


PERCENT = [
    ("%d %s", (1, "a")),
    ("%.2f", (1.5,)),
    ("%5d|%-5s|", (1, "a")),
    ("%s", ()),
    ("%d", ("a",)),
    ("%x", (255,)),
    ("%%", ()),
    ("%s %s", (1, 2, 3)),
    ("%(a)s", ({"a": 1},)),
]


@pytest.mark.parametrize(("text", "values"), PERCENT)
def test_percent(text, values):
    right = values[0] if values and isinstance(values[0], dict) else values
    assert outcome_of(call, "percent_format", text, *values) == outcome_of(text.__mod__, right)


def test_format_value():
    assert call("format_value", 1.5, ".3f", "") == "1.500"
    assert call("format_value", "a", ">4", "r") == f"{'a'!r:>4}"
    assert call("format_value", "ä", "", "a") == ascii("ä")
    assert call("format_value", [1], "", "s") == "[1]"
    assert outcome_of(call, "format_value", "a", "d", "") == outcome_of(format, "a", "d")


def test_torch_format_knows_braces_only():
    assert call("aten::format", "{} and {:.2f} {}", 1, 2) == "1 and {:.2f} 2"
    assert outcome_of(call, "aten::format", "{}", 1, 2)[0] is RuntimeError


def test_torch_reads_a_negative_end_otherwise():
    assert call("aten::find", "abc", "c") == 2
    assert call("aten::count", "abc", "c", 0, -1) == 1
    assert call("count", "abc", "c", 0, -1) == 0
    assert call("aten::strip", "\r a \r") == "\r a \r"
    assert call("strip", "\r a \r") == "a"


def test_text_of_values():
    for value in [1, 1.5, True, "a", [1, 2], {"a": 1}, None, (1, "x")]:
        assert call("str", value) == str(value)
        assert call("repr", value) == repr(value)
