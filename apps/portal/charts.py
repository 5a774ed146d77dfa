"""A table of figures, some columns of which are drawn as well: chart and table are one value, so they cannot differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DAY, HOUR, MINUTE = 86_400, 3_600, 60
LEAST_OF_A_UNIT = 2
MOST_BESIDE = 3


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A figure as people read it, what belongs to it, and its value as it is drawn (None is a gap)."""

    said: str
    note: str = ""
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the cells are about; `under` says more of it."""

    name: str
    under: str = ""
    cells: Sequence[Cell]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the table; `drawn` is how the chart shows it: "bar", "line", or "" for not at all."""

    name: str
    drawn: str = "bar"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A table with its chart. `shape` is "upright", or "across" where long names stand at the side; `unit` is what the
    values are: "%", "days", "hours", "minutes" or "" for a number of things. `sheet` names its CSV."""

    id: str
    title: str
    help: str
    head: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    shape: str = "upright"
    unit: str = ""
    sheet: str = ""
    more: str = ""

    @property
    def has_chart(self) -> bool:
        return any(cell.value is not None for row in self.rows for cell in row.cells)

    @property
    def is_wide(self) -> bool:
        """Whether the table is too wide to stand beside its chart: then it stands below."""
        return len(self.columns) > MOST_BESIDE

    @property
    def chart(self) -> dict[str, Any]:
        """What the browser draws (static/portal/js/charts.js)."""
        return {
            "shape": self.shape,
            "unit": self.unit,
            "names": [[row.name, row.under] if row.under else [row.name] for row in self.rows],
            "series": [
                {
                    "name": column.name,
                    "as": column.drawn,
                    "values": [row.cells[place].value for row in self.rows],
                    "said": [_said(row.cells[place]) for row in self.rows],
                }
                for place, column in enumerate(self.columns)
                if column.drawn
            ],
        }

    @property
    def lines(self) -> list[tuple[Row, list[tuple[Column, Cell]]]]:
        """The rows, each cell with its column."""
        return [(row, list(zip(self.columns, row.cells, strict=True))) for row in self.rows]


def _said(cell: Cell) -> str:
    return f"{cell.said} ({cell.note})" if cell.note else cell.said


def unit_of(seconds: Sequence[float | None]) -> tuple[str, int]:
    """The unit in which lengths are drawn, and its seconds: the largest of which the longest has some."""
    longest = max([0.0, *(one for one in seconds if one is not None)])
    units = (("days", DAY), ("hours", HOUR), ("minutes", MINUTE))
    return next((unit for unit in units if longest >= LEAST_OF_A_UNIT * unit[1]), units[-1])
