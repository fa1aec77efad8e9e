"""Whether gradients are recorded in this thread, as a row; `tensor/grad_mode.py` switches it."""

from __future__ import annotations

import threading

from ..ir.opdef import Effect
from .rows import op
from .rules import HIDDEN


class GradMode(threading.local):
    """What one thread does."""

    enabled = True


GRAD_MODE = GradMode()

op(
    "aten::is_grad_enabled() -> bool",
    impl=lambda xp: GRAD_MODE.enabled,
    effect=Effect.RANDOM,  # the answer may be another one each time
    **HIDDEN,
)
