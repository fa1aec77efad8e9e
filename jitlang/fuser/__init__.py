"""Which nodes become one kernel (`partition`), and what it does (`lower`, `stages`, `plan`)."""
