"""Fusion: which nodes become one kernel (`partition`), and what that kernel does (`lower`, `plan`)."""
