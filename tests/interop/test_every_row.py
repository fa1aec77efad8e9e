"""Every row that torch has too, on random and adversarial arguments: what differs is explained.

A call is made from a seed, so a failure names all that is needed to make it again:
`compare(OPS.find("aten::add.Tensor"), 17)`. What is meant to differ stands in `deviations.py`, from
which docs/deviations.md is written (`pytest --update`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from comparison import comparable_rows, differences
from deviations import DEVIATIONS, explanation, page

CALLS = 100
PAGE = Path(__file__).parents[2] / "docs" / "deviations.md"
SEEN: Counter[str] = Counter()

torch.set_num_threads(1)
ROWS = comparable_rows()


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.full_name)
def test_row_equals_torch(op):
    unexplained = []
    for difference in differences(op, range(CALLS)):
        found = explanation(difference)
        if found is None:
            unexplained.append(str(difference))
        else:
            SEEN[found.title] += 1
    assert not unexplained, "\n".join([f"{len(unexplained)} of {CALLS}", *unexplained[:6]])


def test_most_rows_are_compared():
    assert len(ROWS) >= 1400


def test_every_deviation_deviates():
    """Runs after the comparison: an entry that explains nothing is no deviation."""
    if not SEEN:
        pytest.skip("no row was compared")
    idle = [d.title for d in DEVIATIONS if not SEEN[d.title]]
    assert not idle


def test_the_page_of_deviations_is_current(request):
    if request.config.getoption("--update"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page(), "run pytest --update tests/interop/test_every_row.py"
