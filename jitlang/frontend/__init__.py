"""The front end: from Python source to a typed graph.

`function.compile_function` is the way in. `source` finds the text of a function, `annotate` reads
its annotations, `scope` keeps what names mean, `sugar` says what a meaning can do, and
`statements`, `conditions`, `iteration`, `expressions`, `indexing` and `calls` emit nodes.
"""
