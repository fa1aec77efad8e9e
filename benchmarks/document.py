"""The results as Markdown and as a chart, written into `docs/performance.md`.

What stands between the two marks of the page is replaced; the prose around it stays.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.facts import Fact
from benchmarks.harness import in_words
from benchmarks.installed import optional
from benchmarks.processes import Outcome
from benchmarks.statistics import Ratio

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
CHART = PAGE.parent / "performance.png"
BEGIN = "<!-- begin: written by make bench -->"
END = "<!-- end: written by make bench -->"

FAMILIES = {
    "Python, NumPy": ("python", "numpy"),
    "torch eager": ("torch", "nn.LSTM"),
    "TorchScript": ("TorchScript",),
    "torch.compile": ("torch.compile",),
    "jax.jit": ("jax",),
    "numba": ("numba",),
}
"""Columns of the table: the quickest of the variants whose names begin so."""
OURS = "jitlang"
VERDICTS = {None: "", True: "met", False: "missed"}


def family_of(variant: str) -> str | None:
    """The column that a variant belongs to: the longest prefix decides."""
    if variant.startswith(OURS):
        return OURS
    matches = [
        (len(prefix), family)
        for family, prefixes in FAMILIES.items()
        for prefix in prefixes
        if variant.startswith(prefix)
    ]
    return max(matches)[1] if matches else None


def quickest(outcome: Outcome) -> dict[str, tuple[float, str]]:
    """Seconds and name of the quickest variant of each family; ours as it is, without options."""
    found: dict[str, tuple[float, str]] = {}
    for name, timing in outcome.timings.items():
        family = family_of(name)
        if family is None or (family == OURS and name != OURS):
            continue
        found[family] = min(found.get(family, (float("inf"), "")), (timing.median, name))
    return found


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def times_table(outcomes: Sequence[Outcome]) -> str:
    """A row for each workload, a column for each family."""
    columns = [*FAMILIES, OURS]
    rows = []
    for outcome in outcomes:
        times = quickest(outcome)
        cells = [in_words(times[name][0]) if name in times else "" for name in columns]
        rows.append([outcome.title, *cells])
    return markdown_table(["workload", *columns], rows)


def targets_table(outcomes: Sequence[Outcome]) -> str:
    """A row for each target."""
    rows = [_target_row(outcome, ratio) for outcome in outcomes for ratio in outcome.ratios]
    return markdown_table(["workload", "ratio", "95% interval", "target", ""], rows)


def _target_row(outcome: Outcome, ratio: Ratio) -> list[str]:
    low, high = ratio.interval
    return [
        outcome.title,
        f"{ratio.subject} / {ratio.baseline}: {ratio.ratio:.2f}",
        f"{low:.2f} to {high:.2f}",
        "" if ratio.limit is None else f"{ratio.limit:.2g}",
        VERDICTS[ratio.met],
    ]


def facts_table(facts: Sequence[Fact]) -> str:
    """A row for each number."""
    rows = []
    for fact in facts:
        limit = "" if fact.limit is None else fact.in_words(fact.limit)
        rows.append([fact.what, fact.whose, fact.in_words(fact.value), limit, VERDICTS[fact.met]])
    return markdown_table(["what", "whose", "measured", "target", ""], rows)


def _stolen(machine: Mapping[str, Any]) -> str:
    share = machine.get("stolen")
    if share is None:
        return ""
    return f" The machine's host gave {share:.0%} of the processors' time to others meanwhile."


def section(
    by_threads: Mapping[int, Sequence[Outcome]], facts: Sequence[Fact], machine: Mapping[str, Any]
) -> str:
    """All that stands between the marks."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    parts = [
        f"Measured on {today}: {machine['processor']}, {machine['cores']} cores, last-level cache"
        f" {machine['cache_bytes'] >> 20} MiB, {machine['system']}, Python {machine['python']},"
        f" {versions}.{_stolen(machine)} Each column shows the quickest of a library's settings.",
        f"![Times of other libraries, divided by jitlang's]({CHART.name})",
    ]
    for threads, outcomes in by_threads.items():
        title = f"### {threads} thread{'s' if threads > 1 else ''}"
        parts += [title, times_table(outcomes), targets_table(outcomes)]
        failures = [
            f"- {outcome.title}: {name}: {reason}"
            for outcome in outcomes
            for name, reason in outcome.failures.items()
        ]
        if failures:
            parts.append("Failed:\n\n" + "\n".join(failures))
    if facts:
        parts += ["### Costs", facts_table(facts)]
    return "\n\n".join(parts)


def write_page(text: str) -> None:
    """Put a section between the marks, which are appended to a page that has none."""
    page = PAGE.read_text(encoding="utf-8")
    if BEGIN not in page:
        page = f"{page.rstrip()}\n\n## Against other libraries\n\n{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def draw_chart(outcomes: Sequence[Outcome], path: Path) -> bool:
    """How many times as long as jitlang each family takes; False without matplotlib."""
    matplotlib = optional("matplotlib")
    if matplotlib is None:
        return False
    matplotlib.use("Agg")
    pyplot = optional("matplotlib.pyplot")
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(outcomes) + 1.6), layout="constrained")
    relative = [_relative(outcome) for outcome in outcomes]
    for family, marker in zip(FAMILIES, "osD^v*", strict=True):
        shown = [(times[family], y) for y, times in enumerate(relative) if family in times]
        if shown:
            axes.plot(*zip(*shown, strict=True), marker, label=family, alpha=0.8)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(outcomes)), [outcome.title for outcome in outcomes])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("time divided by jitlang's (right of the line: jitlang is faster)")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


def _relative(outcome: Outcome) -> dict[str, float]:
    times = quickest(outcome)
    if OURS not in times:
        return {}
    return {family: seconds / times[OURS][0] for family, (seconds, _) in times.items()}
