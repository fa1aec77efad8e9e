"""What to write instead: hints for mistakes that many people make, as tables.

A hint is a short imperative; None where nothing better can be said than what was found and
expected.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping

from ..errors import did_you_mean
from ..ir import types as ty
from ..ir.types import Type
from .scope import path_of

NUMBERS = (ty.INT, ty.FLOAT, ty.BOOL, ty.COMPLEX, ty.NUMBER)


def for_conversion(found: Type, expected: Type) -> str | None:
    """How a value of one type becomes one of another."""
    wanted = ty.without_none(expected) or expected
    if found is ty.NONE:
        return f"give a value, or declare Optional[{ty.annotation(expected)}]"
    if ty.without_none(found) is not found and ty.without_none(found) is not None:
        return "test it with `is not None` before this line"
    if (found, wanted) == (ty.FLOAT, ty.INT):
        return "write int(x) to cut the fraction off, or divide with // to stay an int"
    if isinstance(found, ty.TensorType) and wanted in NUMBERS:
        return "write x.item() for the number in a one-element tensor"
    if isinstance(wanted, ty.TensorType) and _is_numeric(found):
        return "write jl.tensor(x)"
    if wanted is ty.STR:
        return "write str(x), or an f-string"
    if found is ty.STR and wanted in (ty.INT, ty.FLOAT):
        return f"write {ty.annotation(wanted)}(x) to read the number in a string"
    if isinstance(found, ty.ListType) and isinstance(wanted, ty.ListType):
        return _for_elements(found.element, wanted.element)
    if isinstance(wanted, ty.ListType) and isinstance(found, ty.TupleType | ty.SequenceType):
        return "write list(x)"
    if found is ty.INT and wanted is ty.FLOAT:
        return "write float(x)"
    return None


def _is_numeric(type_: Type) -> bool:
    return type_ in NUMBERS or (isinstance(type_, ty.ListType) and _is_numeric(type_.element))


def _for_elements(found: Type, wanted: Type) -> str | None:
    if wanted in (ty.FLOAT, ty.INT, ty.STR):
        return f"lists are not converted; write [{ty.annotation(wanted)}(v) for v in xs]"
    return "lists are not converted; build a list of the wanted elements"


def for_optional(node: ast.AST | None) -> str:
    """How to prove that a value is not None."""
    if isinstance(node, ast.Name):
        return f"test `{node.id} is not None` before this line"
    if isinstance(node, ast.expr) and path_of(node) is not None:
        text = ast.unparse(node)
        return f"name it, as in `value = {text}`, and test the name: a write may change `{text}`"
    return "give it a name, and test that with `is not None`"


_ELSEWHERE: Mapping[tuple[str, str], str] = {
    ("list", "add"): "a list has append",
    ("list", "push"): "a list has append",
    ("list", "shape"): "a list has len(); stack it into a tensor first",
    ("list", "size"): "write len(xs)",
    ("list", "length"): "write len(xs)",
    ("list", "sum"): "write sum(xs)",
    ("list", "map"): "write [g(x) for x in xs]",
    ("dict", "has_key"): "write `key in d`",
    ("dict", "iteritems"): "write d.items()",
    ("dict", "add"): "write d[key] = value",
    ("str", "length"): "write len(s)",
    ("str", "append"): "strings do not change; write s + other",
    ("str", "contains"): "write `part in s`",
    ("tensor", "append"): "tensors do not grow; collect a list and stack it",
    ("tensor", "len"): "write len(x) or x.size(0)",
    ("tensor", "length"): "write len(x) or x.size(0)",
    ("tensor", "astype"): "write x.to(dtype)",
    ("tensor", "copy"): "write x.clone()",
    ("tensor", "numpy"): "return the tensor and convert it outside the script",
    ("array", "to"): "write x.astype(dtype)",
    ("array", "numel"): "write x.size",
    ("array", "dim"): "write x.ndim",
    ("array", "clone"): "write x.copy()",
    ("array", "unsqueeze"): "write x[:, None], or annotate the parameter as Tensor",
    ("array", "append"): "arrays do not grow; collect a list and stack it",
    ("array", "backward"): "annotate the parameter as Tensor",
}


def for_attribute(owner: Type, name: str, known: Iterable[str]) -> str | None:
    """What to write for a name that users of other libraries reach for, or a near miss."""
    family = ty.annotation(owner).split("[")[0].lower()
    found = _ELSEWHERE.get((family, name)) or did_you_mean(name, known)
    if found is None and isinstance(owner, ty.DictType):
        return f'items of a dict are read by subscript: d["{name}"]'
    return found


_INSTEAD = {
    "map": "write [g(x) for x in xs]",
    "filter": "write [x for x in xs if g(x)]",
    "type": "test with isinstance(x, T)",
    "set": "use a list, or a dict with True as values",
    "frozenset": "use a tuple, or a dict with True as values",
    "iter": "write a `for` loop",
    "next": "write a `for` loop, or xs[0]",
    "id": "compare with `is`",
    "open": "read the file outside the script and pass what is in it",
    "input": "ask outside the script and pass the answer",
}


def for_builtin(label: str) -> str | None:
    """What to write instead of a builtin that only Python can call."""
    return _INSTEAD.get(label)


_IMPORTS = {
    "torch": "import jitlang as torch", "np": "import numpy as np", "jl": "import jitlang as jl",
    "nn": "from jitlang import nn", "F": "import jitlang.nn.functional as F",
    "Tensor": "from jitlang import Tensor",
}  # fmt: skip
_TYPING = ("List", "Dict", "Tuple", "Optional", "Union", "Any", "NamedTuple", "Final")


def for_name(name: str) -> str | None:
    """The import that a name is missing."""
    if name in _TYPING:
        return f"write `from typing import {name}` at the top of the module"
    if name in _IMPORTS:
        return f"write `{_IMPORTS[name]}` at the top of the module"
    if name in sys.stdlib_module_names:
        return f"write `import {name}` at the top of the module"
    return None


def for_operands(symbol: str, lhs: Type, rhs: Type) -> str | None:
    """What to write instead of an operator whose operands do not fit."""
    operands = (lhs, rhs)
    if symbol == "+" and ty.STR in operands and any(t in NUMBERS for t in operands):
        return "convert the number with str(), or use an f-string"
    if symbol == "+" and isinstance(lhs, ty.DictType) and isinstance(rhs, ty.DictType):
        return "write {**a, **b}"
    if any(isinstance(t, ty.TensorType) for t in operands):
        other = rhs if isinstance(lhs, ty.TensorType) else lhs
        return "write jl.tensor(xs) first" if isinstance(other, ty.ListType) else None
    if ty.NONE in operands:
        return "this is None here; test for it, or swap the branches"
    if symbol == "+" and isinstance(lhs, ty.ListType) and not isinstance(rhs, ty.ListType):
        return "write xs + [x], or xs.append(x)"
    return None


def for_call(type_: Type) -> str | None:
    """What to write instead of calling a value that is no function."""
    subscripted = (ty.ListType, ty.DictType, ty.TupleType, ty.SequenceType, ty.TensorType)
    if isinstance(type_, subscripted):
        return "square brackets read an item: x[i]"
    return "leave the parentheses out: this is a value already" if type_ in NUMBERS else None


def for_iteration(type_: Type) -> str | None:
    """What to write instead of walking a value that has no elements."""
    return "write range(n) to count up to n" if type_ is ty.INT else None
