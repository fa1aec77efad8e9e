"""The interpreter: a graph becomes flat instructions, and these one Python function."""
