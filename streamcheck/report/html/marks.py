"""How are charts written? As plotly figures in plain data: colours by name, texts safe, numbers short."""

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from streamcheck.report.tables import Table, cut

TEXT_CHARS_MAX = 60
"""Longer names are cut in charts; tables have them in full up to NAME_CHARS_MAX."""
HEIGHT = 300
ROW_HEIGHT = 22

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with what it shows in one sentence, and its numbers where they are few."""

    title: str
    says: str
    figure: Figure
    height: int = HEIGHT
    table: Table | None = None


def text(value: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """A name from the data, as plotly may write it: it takes <b> or <a> in any text for markup.

    >>> text("<b>DE</b>"), text("x" * 100)[-3:]
    ('&lt;b&gt;DE&lt;/b&gt;', 'xx…')
    """
    return html.escape(cut(value, chars_max), quote=False)


def short(values: Iterable[float | None]) -> list[float | None]:
    """Numbers of six figures, as a chart needs them; None where there is none.

    >>> short([1.23456789, float("nan"), None])
    [1.23457, None, None]
    """
    return [None if v is None or not math.isfinite(v) else float(f"{v:.6g}") for v in values]


SHARE_TICKS = ".2~%"
"""Ticks of shares: per cent, with the decimals that tell neighbours apart."""


def axis(title: str, **more: Any) -> Figure:
    """An axis with its title."""
    return {"title": {"text": title, "standoff": 8}, "automargin": True, **more}


def time_axis(**more: Any) -> Figure:
    """An axis of event time; values are ms since 1970 UTC."""
    return {"type": "date", "automargin": True, **more}
