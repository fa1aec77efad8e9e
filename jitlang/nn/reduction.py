"""What becomes of the losses of single elements: words for the numbers that operators take."""

from __future__ import annotations


def reduction_code(
    reduction: str, size_average: bool | None = None, reduce: bool | None = None
) -> int:
    """The number of a word, or of the two flags that it has replaced.

    Raises:
        ValueError: there is no such word.
    """
    if size_average is not None or reduce is not None:
        if reduce is not None and not reduce:
            return 0
        return 2 if size_average is not None and not size_average else 1
    if reduction == "none":
        return 0
    if reduction == "mean":
        return 1
    if reduction == "sum":
        return 2
    raise ValueError(f"reduction must be 'none', 'mean' or 'sum', found '{reduction}'")
