"""`Tensor`: torch's tensor over a NumPy or CuPy array, without a copy.

This file holds the slots, what can be asked of a tensor without running an operator, and
conversions to other array types. Methods and operators are derived from the operator table in
`methods.py`.

A tensor never holds a NumPy scalar: 0-dim results become 0-dim arrays in `box`. The version of a
tensor counts writes to its memory; that of a view lives in its base (`version_of`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arrays, dtypes
from ..arrays import Device, Size
from ..dtypes import DType
from ..ops.shape import strides_of
from . import dlpack, text


class TensorMeta(type):
    """Finds methods of the operator table on first use; `methods.py` sets `finder`."""

    finder: Any = None

    def __getattr__(cls, name: str) -> Any:
        method = None if TensorMeta.finder is None else TensorMeta.finder(name)
        if method is None:
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        setattr(Tensor, name, method)
        return method


class Tensor(metaclass=TensorMeta):
    """An n-dimensional array with torch's names, promotion and results.

    `jl.tensor(data)` makes one from Python data, `jl.from_numpy(array)` wraps an array.
    """

    __slots__ = ("__weakref__", "_array", "_base", "_version", "grad", "grad_fn", "requires_grad")

    __array_ufunc__ = None  # `array * tensor` is the tensor's business
    __array_priority__ = 1000

    _array: Any
    _base: Tensor | None
    _version: int
    grad: Tensor | None
    grad_fn: Any
    requires_grad: bool

    def __new__(cls, data: Any = None) -> Tensor:
        array = np.empty(0, np.float32) if data is None else data
        if isinstance(array, Tensor):
            array = array._array
        if not arrays.is_array(array):
            array = np.asarray(array, dtypes.default_dtype().numpy)
        dtypes.from_numpy(array.dtype)
        return _fill(object.__new__(cls), array)

    # What is known without running anything -------------------------------------------------------

    @property
    def shape(self) -> Size:
        return Size(self._array.shape)

    @property
    def dtype(self) -> DType:
        return dtypes.from_numpy(self._array.dtype)

    @property
    def device(self) -> Device:
        return Device(arrays.device_of(self._array))

    @property
    def ndim(self) -> int:
        return int(self._array.ndim)

    @property
    def itemsize(self) -> int:
        return int(self._array.itemsize)

    @property
    def nbytes(self) -> int:
        return int(self._array.nbytes)

    @property
    def is_leaf(self) -> bool:
        return self.grad_fn is None

    @property
    def is_cuda(self) -> bool:
        return arrays.device_of(self._array) != "cpu"

    @property
    def layout(self) -> int:
        """Dense and strided: the only layout there is."""
        return 0

    @property
    def data(self) -> Tensor:
        """The same memory without history."""
        return box(self._array)

    def size(self, dim: int | None = None) -> Any:
        if dim is None:
            return self.shape
        return self._array.shape[self._checked_dim(dim)]

    def stride(self, dim: int | None = None) -> Any:
        """Steps between elements, counted in elements."""
        strides = strides_of(self._array)
        return strides if dim is None else strides[self._checked_dim(dim)]

    def _checked_dim(self, dim: int) -> int:
        rank = max(self._array.ndim, 1)
        if not -rank <= dim < rank:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but"
                f" got {dim})"
            )
        return dim

    def dim(self) -> int:
        return int(self._array.ndim)

    def numel(self) -> int:
        return int(self._array.size)

    nelement = numel
    ndimension = dim

    def element_size(self) -> int:
        return int(self._array.itemsize)

    def data_ptr(self) -> int:
        """The address of the first element."""
        return int(self._array.__array_interface__["data"][0])

    def storage_offset(self) -> int:
        """Elements between the start of the memory and the first element."""
        owner = self._array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        start = owner.__array_interface__["data"][0]
        return int((self.data_ptr() - start) // self._array.itemsize)

    def is_contiguous(self) -> bool:
        return bool(self._array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        return self.dtype.is_signed

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for gradients of this tensor.

        Raises:
            RuntimeError: the dtype is neither floating nor complex, or the tensor is a result that
                requires a gradient, which only `detach` ends.
        """
        if not requires_grad and self.requires_grad and not self.is_leaf:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a"
                " computed variable in a subgraph that doesn't require differentiation use"
                " var_no_grad = var.detach()."
            )
        if requires_grad and self.dtype.category < dtypes.Category.FLOATING:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        self.requires_grad = requires_grad
        return self

    def detach_(self) -> Tensor:
        """Forget how this tensor was computed, in place."""
        self.requires_grad = False
        self.grad_fn = None
        return self

    def backward(self, *args: Any, **kwargs: Any) -> None:
        """Compute gradients. Not there yet.

        Raises:
            RuntimeError: nothing requires a gradient.
            NotImplementedError: something does.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "element 0 of tensors does not require grad and does not have a grad_fn"
            )
        raise NotImplementedError("jitlang does not compute gradients yet")

    # Python's protocols ---------------------------------------------------------------------------

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind())

    def __bool__(self) -> bool:
        if self._array.size != 1:
            amount = "no values" if self._array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {amount} is ambiguous")
        return bool(self._array.reshape(-1)[0])

    def item(self) -> Any:
        """The only element as a Python number.

        Raises:
            RuntimeError: there is not exactly one element.
        """
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        return python_scalar(self._array.reshape(-1)[0])

    def __int__(self) -> int:
        return int(self._real_item("int64_t"))

    def __float__(self) -> float:
        return float(self._real_item("double"))

    def __complex__(self) -> complex:
        return complex(self._only_item())

    def _only_item(self) -> Any:
        if self._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def _real_item(self, wanted: str) -> Any:
        item = self._only_item()
        if isinstance(item, complex):
            if item.imag:
                raise RuntimeError(f"value cannot be converted to type {wanted} without overflow")
            return item.real
        return item

    def __index__(self) -> int:
        if self.dtype.category > dtypes.Category.INTEGRAL or self._array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __hash__(self) -> int:
        return id(self)

    def __contains__(self, element: Any) -> bool:
        if isinstance(element, Tensor):
            element = element._array
        return bool((self._array == element).any())

    def tolist(self) -> Any:
        """Nested lists of Python numbers; a number for a 0-dim tensor."""
        array = self._array
        if array.dtype == dtypes.bfloat16.numpy:
            array = array.astype(np.float32)
        return array.tolist()

    def __repr__(self) -> str:
        note = "requires_grad=True" if self.requires_grad else ""
        if self.grad_fn is not None:
            note = f"grad_fn={self.grad_fn!r}"
        return text.tensor_text(self._array, self.dtype, note, type(self).__name__)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self._array.ndim == 0 else object.__format__(self, spec)

    def __copy__(self) -> Tensor:
        return _fill(object.__new__(type(self)), self._array, self.requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy"
                " protocol at the moment."
            )
        made = _fill(object.__new__(type(self)), self._array.copy(), self.requires_grad)
        memo[id(self)] = made
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, (type(self), self._array, self.requires_grad)

    # Other array types ----------------------------------------------------------------------------

    def numpy(self) -> np.ndarray:
        """The array itself; writes go both ways.

        Raises:
            RuntimeError: the tensor requires a gradient.
            TypeError: the tensor is on a GPU.
        """
        if self.requires_grad:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy()"
                " instead."
            )
        if not isinstance(self._array, np.ndarray):
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy"
                " the tensor to host memory first."
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        interface: dict[str, Any] = self.numpy().__array_interface__
        return interface

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if isinstance(self._array, np.ndarray):
            raise AttributeError("the tensor is not on a GPU")
        interface: dict[str, Any] = self._array.__cuda_array_interface__
        return interface

    def __dlpack__(self, **options: Any) -> Any:
        return dlpack.export(self._array, options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    if TYPE_CHECKING:
        # Derived from the operator table in methods.py.
        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
    else:

        def __getattr__(self, name: str) -> Any:
            method = TensorMeta.finder(name)
            if method is None:
                raise AttributeError(f"'Tensor' object has no attribute {name!r}")
            setattr(Tensor, name, method)
            return getattr(self, name)


_new = object.__new__


def _fill(made: Tensor, array: Any, requires_grad: bool = False) -> Tensor:
    made._array = array
    made.requires_grad = requires_grad
    made.grad = None
    made.grad_fn = None
    made._version = 0
    made._base = None
    return made


def box(array: Any, base: Tensor | None = None) -> Tensor:
    """A tensor over an array or NumPy scalar; `base` is the tensor whose memory a view shares."""
    made: Tensor = _new(Tensor)
    made._array = array if array.__class__ is np.ndarray else _as_array(array)
    made.requires_grad = False
    made.grad = None
    made.grad_fn = None
    made._version = 0
    made._base = base
    return made


def _as_array(value: Any) -> Any:
    return value if arrays.is_array(value) else np.asarray(value)


def unbox(tensor: Tensor) -> Any:
    """The array of a tensor."""
    return tensor._array


def rebuild(cls: type[Tensor], array: Any, requires_grad: bool) -> Tensor:
    """Rebuild a pickled tensor."""
    return _fill(object.__new__(cls), array, requires_grad)


def python_scalar(element: Any) -> Any:
    """A NumPy scalar as the Python number of its kind."""
    return float(element) if element.dtype == dtypes.bfloat16.numpy else element.item()


def rebind(tensor: Tensor, array: Any) -> Tensor:
    """Let a tensor hold another view of its memory.

    Raises:
        TypeError: a raw array was given, which nobody could give another shape.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError("a raw array keeps its shape: make it a Tensor, or take a view")
    tensor._array = array
    return tensor


def version_of(tensor: Tensor) -> int:
    """How often the memory of a tensor was written in place."""
    return (tensor if tensor._base is None else tensor._base)._version


def bump_version(tensor: Tensor) -> None:
    """Count a write to a tensor's memory."""
    tensor._version += 1
    if tensor._base is not None:
        tensor._base._version += 1
