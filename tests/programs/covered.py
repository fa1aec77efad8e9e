"""What the programs cover: kinds of `ast` node, jumps and refinements."""

import ast
import inspect
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

from programs.harness import JUMPS, REFINEMENTS, Program

NOT_IN_A_FUNCTION = "Module Interactive Expression FunctionType TypeIgnore".split()
NOT_ACCEPTED = """
    AsyncFor AsyncFunctionDef AsyncWith Await ExceptHandler Global Import ImportFrom Interpolation
    Lambda Match MatchAs MatchClass MatchMapping MatchOr MatchSequence MatchSingleton MatchStar
    MatchValue Nonlocal ParamSpec Set SetComp TemplateStr Try TryStar TypeAlias TypeVar TypeVarTuple
    With Yield YieldFrom alias match_case withitem
""".split()


def node_kinds(each: Program) -> set[str]:
    """Names of the `ast` classes in the source of the program and of what it uses in its file."""
    return {type(node).__name__ for tree in _sources(each.fn, set()) for node in ast.walk(tree)}


def _sources(thing: Any, seen: set[str]) -> Iterator[ast.AST]:
    seen.add(thing.__name__)
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    yield tree.body[0]
    scope = vars(sys.modules[thing.__module__])
    for node in ast.walk(tree):
        used = scope.get(node.id) if isinstance(node, ast.Name) else None
        is_local = getattr(used, "__module__", None) == thing.__module__
        if is_local and isinstance(used, FunctionType | type) and used.__name__ not in seen:
            yield from _sources(used, seen)


def concrete_node_kinds() -> list[str]:
    """Names of all `ast` classes that a parser can produce, sorted."""
    nodes = (each for each in vars(ast).values() if isinstance(each, type))
    return sorted(each.__name__ for each in nodes if _is_concrete(each))


def _is_concrete(node: type) -> bool:
    deprecated = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis", "Index", "ExtSlice", "Suite"}
    contexts_of_python_2 = {"AugLoad", "AugStore", "Param"}
    is_leaf = issubclass(node, ast.AST) and not node.__subclasses__()
    return is_leaf and node.__name__ not in deprecated | contexts_of_python_2


def expected_node_kinds() -> list[str]:
    """The kinds that programs must use: those that the front end accepts in a function."""
    return [
        kind
        for kind in concrete_node_kinds()
        if kind not in NOT_ACCEPTED and kind not in NOT_IN_A_FUNCTION
    ]


def count_node_kinds(programs: Iterable[Program]) -> Counter[str]:
    return Counter(kind for each in programs for kind in node_kinds(each))


def count_tags(programs: Iterable[Program]) -> Counter[str]:
    return Counter(tag for each in programs for tag in each.tags)


def coverage_lines(programs: dict[str, Program]) -> Iterator[str]:
    """Tables of how many programs use each kind of node, jump and refinement."""
    kinds, tags = count_node_kinds(programs.values()), count_tags(programs.values())
    yield f"{len(programs)} programs; ast nodes, with the number of programs that use each:"
    yield from _columns(f"{kind} {kinds[kind]}" for kind in expected_node_kinds())
    yield "not accepted, not covered:"
    yield from _columns(kind for kind in concrete_node_kinds() if not kinds[kind])
    yield "jumps:"
    yield from _columns(f"{tag} {tags[tag]}" for tag in sorted(JUMPS))
    yield "refinements:"
    yield from _columns(f"{tag} {tags[tag]}" for tag in sorted(REFINEMENTS))


def _columns(cells: Iterable[str]) -> list[str]:
    joined = ", ".join(cells).replace(" ", "\xa0").replace(",\xa0", ", ")
    lines = textwrap.wrap(joined, 98, break_on_hyphens=False)
    return ["  " + line.replace("\xa0", " ") for line in lines]
