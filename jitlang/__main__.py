"""`python -m jitlang FILE.ir -p dce,cse`: passes over a graph in a file, from the command line."""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import config, ops
from .errors import CompileError
from .interp.machine import assemble
from .ir.graph import Graph
from .ir.parser import parse_graph
from .ir.printer import print_graph
from .ir.verifier import verify
from .passes.manager import PASSES, run_passes
from .passes.pipelines import PIPELINES

__all__ = ["main", "ops"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jitlang",
        description="Read a graph, run passes over it, print what comes out.",
        epilog="Passes: " + ", ".join((*PASSES, *PIPELINES)) + ".",
    )
    parser.add_argument("file", help="a graph in text form; - reads standard input")
    parser.add_argument("-p", "--passes", default="", metavar="A,B", help="passes to run, in order")
    parser.add_argument(
        "--print-between", action="store_true", help="print the graph after every pass"
    )
    parser.add_argument("--verify", action="store_true", help="verify the graph after every pass")
    parser.add_argument("--time", action="store_true", help="print the time of every pass")
    parser.add_argument(
        "--source", action="store_true", help="print the Python text that the interpreter runs"
    )
    parser.add_argument(
        "--run", nargs="*", metavar="ARGUMENT", help="run the graph on these Python literals"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status: 1 for a bad graph, 2 for a bad command."""
    options = _parser().parse_args(arguments)
    try:
        text = sys.stdin.read() if options.file == "-" else Path(options.file).read_text("utf-8")
    except OSError as error:
        print(f"cannot read {options.file}: {error.strerror}", file=sys.stderr)
        return 2
    try:
        graph = parse_graph(text, options.file)
        verify(graph)
        _run_passes(graph, options)
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return _show(graph, options)


def _run_passes(graph: Graph, options: argparse.Namespace) -> None:
    def after_each(name: str, changed: Graph) -> None:
        if options.print_between:
            print(f"-- after {name}\n{print_graph(changed)}")

    names = [name.strip() for name in options.passes.split(",") if name.strip()]
    with config.override(verify=options.verify or config.current().verify):
        report = run_passes(graph, names, after_each=after_each)
    if not options.print_between or not names:
        print(print_graph(graph))
    if options.time:
        print(report)


def _show(graph: Graph, options: argparse.Namespace) -> int:
    """Print the generated text and the result of a run, where asked for."""
    if not options.source and options.run is None:
        return 0
    try:
        routine = assemble(graph)
    except NotImplementedError as error:
        print(error, file=sys.stderr)
        return 1
    if options.source:
        print(routine.source)
    if options.run is None:
        return 0
    given = list(map(_literal, options.run))
    if len(given) != len(graph.inputs):
        wanted = ", ".join(f"%{value.name} : {value.type}" for value in graph.inputs)
        print(f"the graph takes ({wanted}), found {len(given)} arguments", file=sys.stderr)
        return 2
    print(routine(*given))
    return 0


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


if __name__ == "__main__":
    sys.exit(main())
