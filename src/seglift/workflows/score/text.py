"""Scores as a person reads them (percent, plain tables) and as JSON has them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table


def number(value: float) -> float | None:
    """A score for JSON: None where it is NaN."""
    return None if math.isnan(value) else float(value)


def mean_known(values: Iterable[float]) -> float:
    """Mean of the values that are not NaN; NaN without any."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def percent(fraction: float) -> str:
    """A fraction 0..1 as percent with one decimal; NaN is ``absent``."""
    return "absent" if math.isnan(fraction) else f"{100.0 * fraction:.1f}"


def render_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], width: int = 100) -> str:
    """A plain-text table, ``width`` characters at most; the first column is left-aligned, the others right-aligned."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for position, name in enumerate(header):
        table.add_column(name, justify="left" if position == 0 else "right")
    for row in rows:
        table.add_row(*row)
    text = StringIO()
    Console(file=text, width=width).print(table)
    return text.getvalue().rstrip()
