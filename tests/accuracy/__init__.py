"""How far the elementary functions are from the truth, in units of the last place (ULP).

    make ulp

measures every transcendental row on all float32 numbers and many float64 numbers, and writes
`docs/accuracy.md` and `tests/data/accuracy.json`. `test_accuracy.py` holds later changes to them.
"""
