"""`Tensor` over arrays, with methods and operators derived from the operator table.

- `core`: the class, its slots and conversions; `box` and `unbox`.
- `dispatch`: which row a call means, and running it; the stack of readers.
- `methods`: functions, methods and operators; `indexing`: `x[i]`; `creation`: `tensor` and kin.
- `text`: how a tensor prints.
"""

from __future__ import annotations

from .. import ops
from ..arrays import Size
from .core import Tensor, box, bump_version, python_scalar, rebind, unbox, version_of
from .creation import as_tensor, from_dlpack, from_numpy, tensor
from .dispatch import (
    call,
    push_reader,
    result_class,
    run_eagerly,
    signature_type,
    without_readers,
)
from .grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .methods import (
    function_in,
    function_named,
    function_names,
    method_named,
    method_names,
    names_in,
)
from .text import set_printoptions

__all__ = [
    "Size",
    "Tensor",
    "as_tensor",
    "box",
    "bump_version",
    "call",
    "enable_grad",
    "from_dlpack",
    "from_numpy",
    "function_in",
    "function_named",
    "function_names",
    "is_grad_enabled",
    "method_named",
    "method_names",
    "names_in",
    "no_grad",
    "ops",
    "push_reader",
    "python_scalar",
    "rebind",
    "result_class",
    "run_eagerly",
    "set_grad_enabled",
    "set_printoptions",
    "signature_type",
    "tensor",
    "unbox",
    "version_of",
    "without_readers",
]  # fmt: skip
