"""Types of graph values: frozen, interned, compared by identity.

`str(ty)` is the graph spelling (`int[]`, `Dict(str, int)`, `Float(2, 3, device=cpu)`);
`annotation(ty)` is the Python spelling that `.code` uses (`List[int]`, `Optional[Tensor]`).

`TensorType` covers both surfaces: a NumPy-surface value has `surface=Surface.NUMPY` and prints as
`Array`. Refined fields are None where nothing is known.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, ClassVar, TypeVar

from ..dtypes import DType

_lock = threading.Lock()
_interned: dict[tuple[object, ...], Any] = {}


class _Interning(type):
    """Equal arguments give the same object, so types compare and hash by identity."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        key = (cls, *(getattr(made, f.name) for f in fields(made)))
        with _lock:
            return _interned.setdefault(key, made)


@dataclass(frozen=True, eq=False)
class Type(metaclass=_Interning):
    """Base of all types."""

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), tuple(getattr(self, f.name) for f in fields(self))

    def __copy__(self) -> Type:
        return self

    def __deepcopy__(self, memo: object) -> Type:
        return self

    @property
    def children(self) -> tuple[Type, ...]:
        """The types this one is made of."""
        return ()

    def with_children(self, children: Iterable[Type]) -> Type:
        """The same type over other parts."""
        return self


class Surface(Enum):
    """Whose names, promotion and results a tensor value follows."""

    TORCH = "torch"
    NUMPY = "numpy"


@dataclass(frozen=True, eq=False)
class TensorType(Type):
    """A tensor. Sizes and strides may hold None for a dimension that is not known.

    Strides say something only where there are sizes, so a 0-dim tensor has none.
    """

    dtype: DType | None = None
    sizes: tuple[int | None, ...] | None = None
    strides: tuple[int | None, ...] | None = None
    requires_grad: bool | None = None
    device: str | None = None
    surface: Surface = Surface.TORCH

    def __post_init__(self) -> None:
        if not self.sizes:
            object.__setattr__(self, "strides", None)

    @property
    def rank(self) -> int | None:
        """The number of dimensions where known."""
        return None if self.sizes is None else len(self.sizes)

    def refined(self, **changes: Any) -> TensorType:
        """The same type with some facts replaced."""
        return replace(self, **changes)

    def __str__(self) -> str:
        base = "Array" if self.surface is Surface.NUMPY else "Tensor"
        name = base if self.dtype is None else self.dtype.graph_name
        facts: list[str] = []
        if self.sizes is None:
            name = base if self.dtype is None else f"{name}{base}"
        else:
            facts += _sizes_text(self.sizes)
            if not self.sizes and self.dtype is None:
                facts.append("sizes=[]")
            if self.strides is not None:
                facts.append(f"strides=[{', '.join(_sizes_text(self.strides))}]")
        if self.requires_grad is not None:
            facts.append(f"requires_grad={int(self.requires_grad)}")
        if self.device is not None:
            facts.append(f"device={self.device}")
        if self.sizes is not None and self.surface is Surface.NUMPY and self.dtype is not None:
            facts.append("surface=numpy")
        if self.sizes is None and not facts:
            return name
        return f"{name}({', '.join(facts)})"


def _sizes_text(sizes: Iterable[int | None]) -> list[str]:
    return ["*" if size is None else str(size) for size in sizes]


@dataclass(frozen=True, eq=False)
class _Simple(Type):
    """A type without parts."""

    graph_name: ClassVar[str]
    python_name: ClassVar[str]

    def __str__(self) -> str:
        return self.graph_name


def _simple(graph_name: str, python_name: str | None = None) -> Callable[[type], type]:
    def name(cls: Any) -> Any:
        cls.graph_name = graph_name
        cls.python_name = python_name or graph_name
        return cls

    return name


@_simple("int")
class IntType(_Simple):
    """A 64-bit integer."""


@_simple("float")
class FloatType(_Simple):
    """A double."""


@_simple("complex")
class ComplexType(_Simple):
    """A pair of doubles."""


@_simple("bool")
class BoolType(_Simple):
    """A truth value."""


@_simple("str")
class StrType(_Simple):
    """A Unicode string."""


@_simple("NoneType", "None")
class NoneType(_Simple):
    """The type of None."""


@_simple("Scalar", "number")
class NumberType(_Simple):
    """int, float, complex or bool."""


@_simple("Any")
class AnyType(_Simple):
    """Any value at all."""


@_simple("dtype", "dtype")
class DTypeType(_Simple):
    """An element type as a value. Schemas spell it ScalarType; in archives it is an int."""


@_simple("Device", "Device")
class DeviceType(_Simple):
    """A device as a value."""


@_simple("Generator")
class GeneratorType(_Simple):
    """A random generator."""


@_simple("Function")
class FunctionType(_Simple):
    """A function as a value."""


@_simple("NoReturn")
class NoReturnType(_Simple):
    """The type of what never returns."""


@dataclass(frozen=True, eq=False)
class ListType(Type):
    """A list of one element type."""

    element: Type

    @property
    def children(self) -> tuple[Type, ...]:
        return (self.element,)

    def with_children(self, children: Iterable[Type]) -> Type:
        return ListType(*children)

    def __str__(self) -> str:
        return f"{self.element}[]"


@dataclass(frozen=True, eq=False)
class SequenceType(Type):
    """An immutable sequence of one element type and unknown length (`Tuple[T, ...]`, a shape).

    A subtype of the list type for operators that only read.
    """

    element: Type

    @property
    def children(self) -> tuple[Type, ...]:
        return (self.element,)

    def with_children(self, children: Iterable[Type]) -> Type:
        return SequenceType(*children)

    def __str__(self) -> str:
        return f"Sequence({self.element})"


@dataclass(frozen=True, eq=False)
class DictType(Type):
    """A dict of one key type and one value type."""

    key: Type
    value: Type

    @property
    def children(self) -> tuple[Type, ...]:
        return (self.key, self.value)

    def with_children(self, children: Iterable[Type]) -> Type:
        return DictType(*children)

    def __str__(self) -> str:
        return f"Dict({self.key}, {self.value})"


@dataclass(frozen=True, eq=False)
class TupleType(Type):
    """A tuple; with field names, a NamedTuple. `name` is qualified and empty for a plain tuple."""

    elements: tuple[Type, ...]
    name: str = ""
    field_names: tuple[str, ...] = ()

    @property
    def children(self) -> tuple[Type, ...]:
        return self.elements

    def with_children(self, children: Iterable[Type]) -> Type:
        return TupleType(tuple(children), self.name, self.field_names)

    def __str__(self) -> str:
        if not self.field_names:
            return f"({', '.join(map(str, self.elements))})"
        named = zip(self.field_names, self.elements, strict=True)
        label = f"[{self.name}]" if self.name else ""
        return f"NamedTuple{label}({', '.join(f'{n} : {t}' for n, t in named)})"


@dataclass(frozen=True, eq=False)
class OptionalType(Type):
    """Either None or the element. Never nested; build it with `optional`."""

    element: Type

    @property
    def children(self) -> tuple[Type, ...]:
        return (self.element,)

    def with_children(self, children: Iterable[Type]) -> Type:
        return optional(*children)

    def __str__(self) -> str:
        return f"{self.element}?"


@dataclass(frozen=True, eq=False)
class UnionType(Type):
    """One of several types, in torch's order (by kind, then by spelling). Build it with `union`."""

    members: tuple[Type, ...]

    @property
    def children(self) -> tuple[Type, ...]:
        return self.members

    def with_children(self, children: Iterable[Type]) -> Type:
        return union(children)

    def __str__(self) -> str:
        return f"Union({', '.join(map(str, self.members))})"


@dataclass(frozen=True, eq=False)
class FutureType(Type):
    """A value that is on its way."""

    element: Type

    @property
    def children(self) -> tuple[Type, ...]:
        return (self.element,)

    def with_children(self, children: Iterable[Type]) -> Type:
        return FutureType(*children)

    def __str__(self) -> str:
        return f"Future[{self.element}]"


@dataclass(frozen=True, eq=False)
class ClassType(Type):
    """A script class or module, by qualified name (`__torch__.Net`)."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class EnumType(Type):
    """An enumeration, by qualified name; its constants are `ObjectRef`s named `name.MEMBER`."""

    name: str

    def __str__(self) -> str:
        return f"Enum<{self.name}>"


@dataclass(frozen=True, eq=False)
class VarType(Type):
    """A type variable of a schema (`t`)."""

    name: str

    def __str__(self) -> str:
        return self.name


TENSOR = TensorType()
ARRAY = TensorType(surface=Surface.NUMPY)
INT = IntType()
FLOAT = FloatType()
COMPLEX = ComplexType()
BOOL = BoolType()
STR = StrType()
NONE = NoneType()
NUMBER = NumberType()
ANY = AnyType()
DTYPE = DTypeType()
DEVICE = DeviceType()
GENERATOR = GeneratorType()
FUNCTION = FunctionType()
NO_RETURN = NoReturnType()
SIMPLE: tuple[_Simple, ...] = (
    INT, FLOAT, COMPLEX, BOOL, STR, NONE, NUMBER, ANY, DTYPE, DEVICE, GENERATOR, FUNCTION,
    NO_RETURN,
)  # fmt: skip
SIZE = SequenceType(INT)
SIMPLE_BY_NAME: Mapping[str, Type] = {ty.graph_name: ty for ty in SIMPLE}
_UNION_ORDER: Mapping[object, int] = {
    kind: rank
    for rank, kind in enumerate((
        AnyType, EnumType, TensorType, TupleType, ListType, DictType, NumberType, FloatType,
        ComplexType,
        FutureType, IntType, NoneType, StrType, GeneratorType, BoolType, DeviceType, FunctionType,
        ClassType,
    ))
}  # fmt: skip
SCALARS = (INT, FLOAT, COMPLEX, BOOL)
NUMBER_CLASSES: dict[Type, type] = {INT: int, FLOAT: float, COMPLEX: complex, BOOL: bool}


def tuple_of(*elements: Type) -> TupleType:
    """The type of plain tuples of these elements."""
    return TupleType(tuple(elements))


def optional(element: Type) -> Type:
    """`element` or None, flattened: an optional of an optional or of None is itself."""
    if isinstance(element, OptionalType | NoneType | AnyType):
        return element
    if isinstance(element, UnionType):
        return union((*element.members, NONE))
    return OptionalType(element)


def union(members: Iterable[Type]) -> Type:
    """A union, flattened, without members that others cover; of T and None, an optional."""
    flat: list[Type] = []
    for member in members:
        parts = alternatives(member)
        flat += [part for part in parts if part not in flat]
    kept = [m for m in flat if not any(m is not o and is_subtype(m, o) for o in flat)]
    if len(kept) == 1:
        return kept[0]
    if len(kept) == 2 and NONE in kept:
        return OptionalType(next(m for m in kept if m is not NONE))
    return UnionType(tuple(sorted(kept, key=_union_order)))


def _union_order(member: Type) -> tuple[int, str]:
    return _UNION_ORDER.get(type(member), len(_UNION_ORDER)), str(member)


def alternatives(ty: Type) -> tuple[Type, ...]:
    """What a value of this type may be: the members of a union, an optional's element and None."""
    if isinstance(ty, OptionalType):
        return (ty.element, NONE)
    if isinstance(ty, UnionType):
        return ty.members
    return (ty,)


def is_tensor(ty: Type) -> bool:
    """Whether values of this type are tensors, on either surface."""
    return isinstance(ty, TensorType)


def is_array(ty: Type) -> bool:
    """Whether values of this type are tensors of the NumPy surface."""
    return isinstance(ty, TensorType) and ty.surface is Surface.NUMPY


def unshaped(ty: Type) -> Type:
    """The type without what was refined: every tensor is `Tensor` or `Array`."""
    if isinstance(ty, TensorType):
        return TensorType(surface=ty.surface)
    return ty.with_children(map(unshaped, ty.children)) if ty.children else ty


def is_subtype(sub: Type, sup: Type) -> bool:
    """Whether every value of `sub` is one of `sup`. Lists and dicts are invariant."""
    if sub is sup or isinstance(sup, AnyType) or isinstance(sub, NoReturnType):
        return True
    if isinstance(sub, OptionalType | UnionType):
        return all(is_subtype(part, sup) for part in alternatives(sub))
    if isinstance(sup, OptionalType | UnionType):
        return any(is_subtype(sub, part) for part in alternatives(sup))
    if isinstance(sub, TensorType) and isinstance(sup, TensorType):
        return _tensor_subtype(sub, sup)
    if isinstance(sup, NumberType):
        return isinstance(sub, IntType | FloatType | ComplexType | BoolType)
    if isinstance(sub, TupleType) and isinstance(sup, TupleType):
        if sup.field_names and (sub.field_names != sup.field_names or sub.name != sup.name):
            return False
        return len(sub.elements) == len(sup.elements) and all(
            is_subtype(a, b) for a, b in zip(sub.elements, sup.elements, strict=True)
        )
    if isinstance(sub, SequenceType) and isinstance(sup, SequenceType | ListType):
        return is_subtype(sub.element, sup.element)
    if isinstance(sub, TupleType) and isinstance(sup, SequenceType):
        return all(is_subtype(element, sup.element) for element in sub.elements)
    if isinstance(sub, ListType | DictType) and type(sub) is type(sup):
        return all(
            is_subtype(a, b) and is_subtype(unshaped(b), unshaped(a))
            for a, b in zip(sub.children, sup.children, strict=True)
        )
    if isinstance(sub, FutureType) and isinstance(sup, FutureType):
        return is_subtype(sub.element, sup.element)
    return False


def _tensor_subtype(sub: TensorType, sup: TensorType) -> bool:
    if sub.surface is not sup.surface:
        return False
    if sup.sizes is not None and not _covers(sup.sizes, sub.sizes):
        return False
    if sup.strides is not None and not _covers(sup.strides, sub.strides):
        return False
    return all(
        getattr(sup, fact) is None or getattr(sup, fact) == getattr(sub, fact)
        for fact in ("dtype", "requires_grad", "device")
    )


def _covers(wide: tuple[int | None, ...], narrow: tuple[int | None, ...] | None) -> bool:
    return (
        narrow is not None
        and len(wide) == len(narrow)
        and all(w is None or w == n for w, n in zip(wide, narrow, strict=True))
    )


def unify(a: Type, b: Type) -> Type | None:
    """The least type that both are subtypes of, without inventing unions; None if there is none.

    Tensors keep the facts they share; None and T give Optional[T]; tuples unify element by element.
    """
    if is_subtype(a, b):
        return b
    if is_subtype(b, a):
        return a
    if isinstance(a, TensorType) and isinstance(b, TensorType):
        return _unify_tensors(a, b) if a.surface is b.surface else None
    if NONE in alternatives(a) or NONE in alternatives(b):
        bare_a = without_none(a)
        bare_b = without_none(b)
        if bare_a is None or bare_b is None:
            present = bare_a or bare_b
            return optional(present) if present is not None else NONE
        joined = unify(bare_a, bare_b)
        return None if joined is None else optional(joined)
    if isinstance(a, TupleType) and isinstance(b, TupleType):
        if len(a.elements) != len(b.elements) or (a.name, a.field_names) != (b.name, b.field_names):
            return None
        parts = [unify(x, y) for x, y in zip(a.elements, b.elements, strict=True)]
        found = [p for p in parts if p is not None]
        return a.with_children(found) if len(found) == len(parts) else None
    if isinstance(a, ListType | DictType) and type(a) is type(b):
        return _unify_containers(a, b)
    return None


def _unify_containers(a: Type, b: Type) -> Type | None:
    """Containers of one element type; an empty display (of `NoReturn` elements) joins any."""
    if unshaped(a) is unshaped(b):
        return unshaped(a)
    if not any(isinstance(inner, NoReturnType) for side in (a, b) for inner in walk(side)):
        return None
    parts = [unify(x, y) for x, y in zip(a.children, b.children, strict=True)]
    found = [p for p in parts if p is not None]
    return a.with_children(found) if len(found) == len(parts) else None


def _unify_tensors(a: TensorType, b: TensorType) -> TensorType:
    same_rank = a.sizes is not None and b.sizes is not None and len(a.sizes) == len(b.sizes)
    return TensorType(
        a.dtype if a.dtype is b.dtype else None,
        _common(a.sizes, b.sizes) if same_rank else None,
        a.strides if same_rank and a.strides == b.strides else None,
        a.requires_grad if a.requires_grad == b.requires_grad else None,
        a.device if a.device == b.device else None,
        a.surface,
    )


def _common(
    a: tuple[int | None, ...] | None, b: tuple[int | None, ...] | None
) -> tuple[int | None, ...] | None:
    if a is None or b is None:
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def without_none(ty: Type) -> Type | None:
    """What is left of a type once None is ruled out; None where nothing is."""
    if isinstance(ty, UnionType):
        return union(part for part in ty.members if part is not NONE)
    if isinstance(ty, OptionalType):
        return ty.element
    return None if ty is NONE else ty


def bind(pattern: Type, actual: Type, bindings: dict[str, Type]) -> bool:
    """Match a schema type with variables against an actual type, extending `bindings`."""
    if isinstance(pattern, VarType):
        bound = bindings.get(pattern.name)
        joined = actual if bound is None else unify(bound, actual)
        if joined is None:
            return False
        bindings[pattern.name] = joined
        return True
    if isinstance(pattern, OptionalType) and has_variables(pattern):
        inner = without_none(actual)
        return inner is None or bind(pattern.element, inner, bindings)
    if not has_variables(pattern):
        return is_subtype(actual, pattern)
    if isinstance(pattern, ListType) and isinstance(actual, SequenceType):
        return bind(pattern.element, actual.element, bindings)
    if type(pattern) is not type(actual) or len(pattern.children) != len(actual.children):
        return False
    return all(bind(p, a, bindings) for p, a in zip(pattern.children, actual.children, strict=True))


def has_variables(ty: Type) -> bool:
    """Whether a schema type mentions a type variable."""
    return isinstance(ty, VarType) or any(map(has_variables, ty.children))


def substitute(ty: Type, bindings: Mapping[str, Type]) -> Type:
    """The type with its variables replaced; unbound ones stay."""
    if isinstance(ty, VarType):
        return bindings.get(ty.name, ty)
    if not ty.children:
        return ty
    return ty.with_children(substitute(child, bindings) for child in ty.children)


def annotation(ty: Type, name: Callable[[Type], str] | None = None) -> str:
    """The Python spelling of a type; `name` spells the named ones, else their last part does."""
    if is_named(ty):
        if name is not None:
            return name(ty)
        return str(getattr(ty, "name", "")).rpartition(".")[2] or "NamedTuple"
    if isinstance(ty, TensorType):
        return "Array" if ty.surface is Surface.NUMPY else "Tensor"
    if isinstance(ty, _Simple):
        return ty.python_name
    parts = [annotation(child, name) for child in ty.children]
    if isinstance(ty, TupleType):
        return f"Tuple[{', '.join(parts) or '()'}]"
    if isinstance(ty, SequenceType):
        return f"Tuple[{parts[0]}, ...]"
    base = _PYTHON_NAMES.get(type(ty))
    return f"{base}[{', '.join(parts)}]" if base is not None else str(ty)


_PYTHON_NAMES: Mapping[object, str] = {
    ListType: "List", DictType: "Dict", OptionalType: "Optional", UnionType: "Union",
    FutureType: "Future",
}  # fmt: skip


def is_named(ty: Type) -> bool:
    """Whether a type is known by a name of its own."""
    is_named_tuple = isinstance(ty, TupleType) and bool(ty.field_names)
    return is_named_tuple or isinstance(ty, ClassType | EnumType)


T = TypeVar("T", bound=Type)


def walk(ty: Type) -> Iterator[Type]:
    """The type and every type inside it."""
    yield ty
    for child in ty.children:
        yield from walk(child)


def has_tensors(ty: Type) -> bool:
    """Whether values of a type are tensors or hold some."""
    return any(isinstance(part, TensorType) for part in walk(ty))
