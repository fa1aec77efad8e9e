"""The front end: from Python source to a typed graph.

`function.compile_function` is the way in. `source` finds the text of a function, `annotate` reads
its annotations, `scope` keeps what names mean, and `sugar` says what a meaning can do. Nodes are
emitted by `statements`, `conditions`, `flow`, `loops`, `iterables`, `comprehensions`,
`expressions`, `operators`, `indexing`, `attributes`, `binding`, `operator_calls` and `calls`.
"""
