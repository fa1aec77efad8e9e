"""The eager dispatcher: which row a call means, and running it.

`call(name, args, kwargs)` resolves the overload by the types of the arguments, as the front end
does for graphs, then runs the row's kernel between unboxing and boxing. What was resolved is kept
as a generated function, a runner, found again by the operator's name and the arguments' kinds; a
kind is a class, or for a container its class with the kinds of its elements.

Readers: `push_reader` makes the calls of this thread go to a reader (a tracer, the gradient tape)
instead of the kernels; a reader runs the operator by calling `run_eagerly`.
"""

from __future__ import annotations

import threading
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from .. import arrays, config
from ..arrays import Device, ignore_float_errors, restore_float_errors
from ..dtypes import DType
from ..ir import types as ty
from ..ir.matching import Conversion, Convert, Match, Mismatch, match_overloads
from ..ir.opdef import OPS, OpDef
from ..ir.schema import Argument
from ..ir.types import TensorType, Type
from ..ops.broadcast import as_torch_error
from ..ops.convert import CAST_METHODS
from ..ops.generator import Generator
from ..ops.rows import kernel_of
from .core import Tensor, box, bump_version, rebind
from .recording import (
    detach_in_place,
    gives_gradient,
    is_differentiable,
    record,
    record_each,
    record_write,
    refuse_write,
    requires_grad,
)

Runner = Callable[..., Any]


class Reader(Protocol):
    """Sees every eager call of a thread while it is on the stack."""

    def read(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Handle the call and return its result."""


class _Stack(threading.local):
    def __init__(self) -> None:
        self.readers: list[Reader] = []


_stack = _Stack()
_reading = 0  # readers on the stacks of all threads: the common case is none at all
_reading_lock = threading.Lock()


@contextmanager
def push_reader(reader: Reader) -> Iterator[None]:
    """Send this thread's eager calls to a reader inside the `with` statement."""
    global _reading
    with _reading_lock:
        _reading += 1
    _stack.readers.append(reader)
    try:
        yield
    finally:
        _stack.readers.pop()
        with _reading_lock:
            _reading -= 1


@contextmanager
def without_readers() -> Iterator[None]:
    """Run kernels directly inside the `with` statement (what a reader itself does)."""
    saved, _stack.readers = _stack.readers, []
    try:
        yield
    finally:
        _stack.readers = saved


# Kinds and types of arguments ---------------------------------------------------------------------

_PLAIN: dict[type, Type] = {
    bool: ty.BOOL, int: ty.INT, float: ty.FLOAT, complex: ty.COMPLEX, str: ty.STR,
    type(None): ty.NONE,
    DType: ty.DTYPE, Device: ty.DEVICE, Generator: ty.GENERATOR, Tensor: ty.TENSOR,
    np.ndarray: ty.TENSOR,
}  # fmt: skip


def kind_of(value: Any) -> Any:
    """What a runner depends on: the class, with the kinds of elements for containers."""
    cls = value.__class__
    if cls is list or isinstance(value, tuple):
        return (cls, *{kind_of(element): None for element in value}) if cls is list else (
            cls, *map(kind_of, value)
        )  # fmt: skip
    if cls is dict:
        return (cls, *{(kind_of(k), kind_of(v)): None for k, v in value.items()})
    return cls


def signature_type(value: Any) -> Type:
    """The unrefined graph type of a run-time value, for overload resolution.

    Raises:
        TypeError: no operator takes such a value.
    """
    plain = _PLAIN.get(value.__class__)
    if plain is not None:
        return plain
    if isinstance(value, Tensor) or arrays.is_array(value):
        return ty.TENSOR
    if isinstance(value, np.generic):
        return signature_type(value.item())
    if isinstance(value, list):
        return ty.ListType(_common_type(list(map(signature_type, value))))
    if isinstance(value, tuple):
        return ty.TupleType(tuple(map(signature_type, value)))
    if isinstance(value, dict):
        keys = _common_type(list(map(signature_type, value.keys())))
        return ty.DictType(keys, _common_type(list(map(signature_type, value.values()))))
    for cls, type_ in _PLAIN.items():
        if isinstance(value, cls):
            return type_
    raise TypeError(f"operators do not take a {type(value).__name__}")


def _common_type(parts: list[Type]) -> Type:
    if not parts:
        return ty.NO_RETURN
    joined: Type | None = parts[0]
    for part in parts[1:]:
        joined = None if joined is None else ty.unify(joined, part)
    if joined is None and all(p in ty.SCALARS for p in parts):
        return ty.NUMBER
    return ty.union(parts) if joined is None else joined


# Calls --------------------------------------------------------------------------------------------

_runners: dict[tuple[str, bool], dict[Any, Runner]] = {}


def runners_of(name: str, exact: bool) -> dict[Any, Runner]:
    """The runners made so far for an operator, by the kinds of arguments."""
    return _runners.setdefault((name, exact), {})


def forget(name: str) -> None:
    """Drop what was resolved for an operator whose rows change."""
    for exact in (False, True):
        runners_of(name, exact).clear()


def is_reading() -> bool:
    """Whether a reader is on this thread's stack."""
    return bool(_reading and _stack.readers)


def call(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call an operator by name on Python values.

    Raises:
        TypeError: no overload takes these arguments.
    """
    if _reading and _stack.readers:
        return _stack.readers[-1].read(name, args, kwargs)
    return run_eagerly(name, args, kwargs)


def run_eagerly(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Run the kernel of the overload that fits, whoever is reading."""
    exact = config.current().exact
    if kwargs:
        values = (*args, *kwargs.values())
        key = (len(args), *kwargs, *map(kind_of, values))
    else:
        values = tuple(args)
        key = tuple(map(kind_of, values))
    found = runners_of(name, exact)
    runner = found.get(key)
    if runner is None:
        runner = found[key] = make_runner(name, args, kwargs, exact)
    return runner(*values)


def resolve(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Match:
    """The overload and conversions for a call.

    Raises:
        TypeError: no overload takes these arguments.
    """
    types = [signature_type(a) for a in args]
    keywords = {key: signature_type(value) for key, value in kwargs.items()}
    rows = OPS.overloads(name)
    if _tensors_in([*args, *kwargs.values()]):
        # A tensor is never taken for a number here: scalar rows are for script functions.
        rows = [row for row in rows if "Tensor" in row.schema_text.partition("->")[0]] or rows
    outcome = match_overloads(rows, types, keywords)
    if isinstance(outcome, Match):
        return outcome
    raise no_overload(name, types, keywords, outcome)


def no_overload(
    name: str, types: Sequence[Type], keywords: Mapping[str, Type], mismatches: Sequence[Mismatch]
) -> TypeError:
    """The error that lists every overload and why it does not fit."""
    found = [ty.annotation(t) for t in types]
    found += [f"{key}={ty.annotation(t)}" for key, t in keywords.items()]
    base = name.partition("::")[2]
    lines = [f"{base}() received an invalid combination of arguments - got ({', '.join(found)})"]
    for mismatch in mismatches:
        lines.append(f"  {mismatch.op.schema}\n    {mismatch.reason}")
    return TypeError("\n".join(lines))


def make_runner(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], exact: bool) -> Runner:
    """Generate the runner of a call with arguments of these kinds."""
    match = resolve(name, args, kwargs)
    return _RunnerSource(match, [*args, *kwargs.values()], exact).compile()


class _RunnerSource:
    """Writes the function `runner(*values)` of one match: convert, unbox, run, box.

    The function is generated so that what is known now is not asked again in each call.
    """

    def __init__(self, match: Match, values: Sequence[Any], exact: bool) -> None:
        self.match = match
        self.op = match.op
        self.values = values
        # Results of calls on raw arrays only are raw again (decision 2).
        tensors = _tensors_in(values)
        is_raw = bool(tensors) and not any(isinstance(t, Tensor) for t in tensors)
        self.scope: dict[str, Any] = {
            "kernel": kernel_of(self.op, arrays.namespace(*map(_array_of, tensors)), exact),
            "box": _leave if is_raw else box, "bump": bump_version, "rebind": rebind,
            "ignore": ignore_float_errors, "restore": restore_float_errors, "Tensor": Tensor,
            "boxed": _leave if is_raw else _boxed_list, "array_of": _array_of,
            "arrays_of": _arrays_of, "Device": Device,
            "base_of": _base_of, "scalar": _scalar_of, "integer": _integer_of,
            "floating": _floating_of, "record": record, "requires_grad": requires_grad,
            "record_each": record_each, "record_write": record_write, "refuse_write": refuse_write,
            "detach_in_place": detach_in_place,
            "in_words_of_torch": _unchanged if is_raw else _in_words_of_torch,
        }  # fmt: skip

    def compile(self) -> Runner:
        """The runner."""
        names = [f"v{i}" for i in range(len(self.values))]
        arguments = [
            self._argument(argument, how)
            for argument, how in zip(self.op.schema.arguments, self.match.conversions, strict=True)
        ]
        arguments += [f"v{i}" for i in self.match.variadic]
        source = (
            f"def runner({', '.join(names)}):\n"
            f"{self._refusals()}"
            f"    token = ignore()\n"
            f"    try: result = kernel({', '.join(arguments)})\n"
            f"    except ValueError as error: raise in_words_of_torch(error) from None\n"
            f"    finally: restore(token)\n"
            f"{self._results()}"
        )
        exec(source, self.scope)
        runner: Runner = self.scope["runner"]
        return runner

    def _constant(self, value: Any) -> str:
        if value is None or isinstance(value, bool | int | str):
            return repr(value)
        name = f"constant{len(self.scope)}"
        self.scope[name] = value
        return name

    def _argument(self, argument: Argument, conversion: Conversion) -> str:
        names = [f"v{i}" for i in conversion.sources]
        match conversion.how:
            case Convert.DEFAULT:
                return self._constant(_default(argument))
            case Convert.PACK if argument.type is ty.ListType(ty.TENSOR):
                return f"[{', '.join(f'array_of({n})' for n in names)}]"
            case Convert.PACK:
                return f"[{', '.join(f'integer({n})' for n in names)}]"
            case Convert.REPEAT:
                return f"[{names[0]}] * {argument.size or 1}"
            case Convert.TUPLE_TO_LIST:
                return self._listed(argument, names[0])
            case Convert.INT_TO_FLOAT | Convert.BOOL_TO_FLOAT:
                return f"float({names[0]})"
            case Convert.BOOL_TO_INT | Convert.TENSOR_TO_INT:
                return f"integer({names[0]})"
            case Convert.TO_COMPLEX:
                return f"complex({names[0]})"
            case Convert.TENSOR_TO_FLOAT:
                return f"floating({names[0]})"
            case Convert.TENSOR_TO_SCALAR:
                return f"scalar({names[0]})"
            case Convert.STR_TO_DEVICE:
                return f"Device({names[0]})"
        return self._kept(argument, names[0], self.values[conversion.sources[0]])

    def _kept(self, argument: Argument, name: str, value: Any) -> str:
        inner = ty.without_none(argument.type)
        if isinstance(value, np.generic):
            return f"array_of({name}.item())" if isinstance(inner, TensorType) else f"{name}.item()"
        if value is None:
            return name
        if isinstance(inner, TensorType):
            return f"{name}._array" if isinstance(value, Tensor) else f"array_of({name})"
        return self._listed(argument, name) if isinstance(inner, ty.ListType) else name

    def _listed(self, argument: Argument, name: str) -> str:
        inner = ty.without_none(argument.type)
        if not isinstance(inner, ty.ListType):
            return name
        element = ty.without_none(inner.element)
        if isinstance(element, TensorType):
            return f"arrays_of({name})"
        return f"list({name})" if not ty.has_variables(inner) else name

    def _written(self) -> list[str]:
        """The runner's names of the tensors that are written."""
        arguments = zip(self.op.schema.arguments, self.match.conversions, strict=True)
        return [
            f"v{conversion.sources[0]}"
            for argument, conversion in arguments
            if argument.alias is not None
            and argument.alias.is_write
            and isinstance(ty.without_none(argument.type), TensorType)
            and conversion.sources
            and isinstance(self.values[conversion.sources[0]], Tensor)
        ]

    def _refusals(self) -> str:
        """The statements that keep tensors from being written where gradients are wanted."""
        names = [] if self.op.name == DETACH else self._written()
        return "".join(f"    if {name}.requires_grad: refuse_write({name})\n" for name in names)

    def _results(self) -> str:
        """The statements that box what the kernel returned."""
        lines = [f"bump({name})" for name in self._written()]
        returns = self.op.schema.returns
        if len(returns) == 1:
            lines += self._returning(returns[0])
        elif returns and not self.op.schema.is_varret:
            lines.append(f"({', '.join(f'r{i}' for i in range(len(returns)))},) = result")
            boxed = [self._result(r, f"r{i}") for i, r in enumerate(returns)]
            self.scope["result_class"] = result_class(self.op)
            made = "" if self.scope["result_class"] is None else "result_class"
            lines.append(f"result = {made}({', '.join(boxed)}{'' if made else ','})")
            wanted = self._wants_gradients()
            lines += [f"if {wanted}: record(result)"] if wanted else []
            lines.append("return result")
        else:
            lines.append("return result")
        return "".join(f"    {line}\n" for line in lines)

    def _returning(self, returned: Argument) -> list[str]:
        """The statements that return the only result."""
        boxed = self._result(returned, "result")
        if self.op.name == DETACH and boxed != "result":
            return [f"return detach_in_place({boxed})"]
        wanted = self._wants_gradients()
        if not wanted or boxed == "result":
            return [f"return {boxed}"]
        if returned.alias is not None and returned.alias.is_write:
            return [f"result = {boxed}", f"if {wanted}: record_write(result)", "return result"]
        note = "record_each" if self._pairs_tensors(returned) else "record"
        given = f"{boxed}, v0" if note == "record_each" else boxed
        return [f"if {wanted}: return {note}({given})", f"return {boxed}"]

    def _pairs_tensors(self, returned: Argument) -> bool:
        """Whether there is one result for each tensor of a list."""
        return returned.type == self.op.schema.arguments[0].type == ty.ListType(ty.TENSOR)

    def _wants_gradients(self) -> str:
        """The condition under which results require gradients; empty where they never do."""
        if not is_differentiable(self.op):
            return ""
        returned = self.op.schema.returns[0]
        alias = returned.alias or returned.element_alias
        source = None
        if alias is not None and not alias.is_write and not alias.is_wildcard:
            source = self._aliased(alias.before)
        if source is not None:  # of a view, nothing else has a say
            return f"{source}.requires_grad"
        blind = {
            place
            for index, conversion in enumerate(self.match.conversions)
            for place in conversion.sources
            if not gives_gradient(self.op, index)
        }
        return " or ".join(
            f"v{place}.requires_grad" if isinstance(value, Tensor) else f"requires_grad(v{place})"
            for place, value in enumerate(self.values)
            if place not in blind and any(isinstance(each, Tensor) for each in _tensors_in([value]))
        )

    def _result(self, returned: Argument, name: str) -> str:
        alias = returned.alias or returned.element_alias
        source = None
        if alias is not None and not alias.is_wildcard:
            source = self._aliased(alias.before)
        if isinstance(returned.type, TensorType):
            if alias is not None and alias.is_write and source is not None:
                return f"rebind({source}, {name})" if self.op.reshapes else source
            if self.op.reshapes:
                return f"rebind(None, {name})"
            if source is None:
                return f"box({name})"
            boxed = f"box({name}, base_of({source}, {name}))"
            same = f"{source} if {name} is {source}._array else {boxed}"
            return same if self.op.name in MAY_RETURN_SELF else boxed
        if isinstance(returned.type, ty.ListType) and isinstance(returned.type.element, TensorType):
            return f"boxed({name}, {source})"
        if isinstance(returned.type, ty.OptionalType) and isinstance(
            returned.type.element, TensorType
        ):
            return f"None if {name} is None else box({name})"
        return name

    def _aliased(self, sets: tuple[str, ...]) -> str | None:
        """The runner's name of the tensor argument that shares an alias set."""
        for argument, conversion in zip(
            self.op.schema.arguments, self.match.conversions, strict=True
        ):
            alias = argument.alias
            if alias is None or not set(alias.before) & set(sets) or len(conversion.sources) != 1:
                continue
            if isinstance(self.values[conversion.sources[0]], Tensor):
                return f"v{conversion.sources[0]}"
        return None


DETACH = "aten::detach_"
# Rows that give the very same tensor back where there is nothing to do.
MAY_RETURN_SELF = frozenset((
    "aten::to", "aten::contiguous", "aten::type_as", "aten::atleast_1d", "aten::atleast_2d",
    "aten::atleast_3d", "aten::dropout", "aten::feature_dropout",
    "jit::cpu", "jit::cuda", *(f"jit::{name}" for name in CAST_METHODS),
))  # fmt: skip


def _default(argument: Argument) -> Any:
    """A schema default as the kernel wants it."""
    default = argument.default
    inner = ty.without_none(argument.type)
    if isinstance(inner, ty.ListType) and default is not None and not isinstance(default, list):
        return [default] * (argument.size or 1)
    if inner is ty.BOOL and default is not None:
        return bool(default)
    return default


def _tensors_in(values: Sequence[Any]) -> list[Any]:
    """The tensors and raw arrays among arguments and in their lists."""
    flat: list[Any] = []
    for value in values:
        flat += value if isinstance(value, list | tuple) else [value]
    return [v for v in flat if isinstance(v, Tensor) or arrays.is_array(v)]


def _leave(result: Any, base: Any = None) -> Any:
    return result


def _array_of(value: Any) -> Any:
    """A raw array for a Tensor parameter; its dtype must be one of ours."""
    return value._array if isinstance(value, Tensor) else np.asarray(value)


def _arrays_of(values: Sequence[Any]) -> list[Any]:
    return [None if v is None else _array_of(v) for v in values]


def _base_of(source: Tensor, result: Any) -> Tensor | None:
    """The base of a view; None where the kernel had to copy (`reshape`, `contiguous`)."""
    if result.base is None and result is not source._array:
        return None
    return source if source._base is None else source._base


def _boxed_list(results: Sequence[Any], source: Tensor | None) -> tuple[Tensor, ...]:
    """Several tensors: a tuple, as torch's Python functions give one."""
    if source is None:
        return tuple([box(r) for r in results])
    base = source if source._base is None else source._base
    return tuple([box(r, base) for r in results])


def _scalar_of(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else np.asarray(value).item()


def _integer_of(value: Any) -> int:
    return value if value.__class__ is int else int(value)


def _unchanged(error: ValueError) -> Exception:
    return error


def _in_words_of_torch(error: ValueError) -> Exception:
    return as_torch_error(error) or error


def _floating_of(value: Any) -> float:
    return float(_scalar_of(value))


_result_classes: dict[OpDef, type[tuple[Any, ...]] | None] = {}


def result_class(op: OpDef) -> type[tuple[Any, ...]] | None:
    """The NamedTuple in which a row returns its named results (`values`, `indices`), or None."""
    if op not in _result_classes:
        names = [r.name for r in op.schema.returns]
        named = len(names) > 1 and all(names)
        make: Any = namedtuple  # the class's name is known only here, which mypy does not take
        base = op.name.partition("::")[2]
        _result_classes[op] = make(base, names, module="jitlang.return_types") if named else None
    return _result_classes[op]


def dispatcher(name: str) -> Callable[..., Any]:
    """A quick entry for an operator with one or two positional arguments (`x + y`, `-x`)."""
    fast: dict[Any, Runner] = runners_of(name, False)

    def dispatch(*args: Any) -> Any:
        if _reading or config.current().exact:
            return call(name, args, {})
        runner = fast.get(tuple([a.__class__ for a in args]))
        return call(name, args, {}) if runner is None else runner(*args)

    return dispatch


__all__ = [
    "Reader", "call", "dispatcher", "forget", "is_reading", "kind_of", "push_reader", "resolve",
    "run_eagerly", "runners_of", "signature_type", "without_readers",
]  # fmt: skip
