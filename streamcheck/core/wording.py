"""How are numbers of things, numbers, moments and spans said? Short, in UTC, the same everywhere."""

import math
from datetime import UTC, datetime, timedelta

NOTHING = "–"
_FIGURES_MAX = 17
"""Those of a float64."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def counted(amount: int, noun: str, plural: str | None = None) -> str:
    """A number of things. plural: where it is not the noun and an s.

    >>> counted(1, "alert"), counted(1200, "alert"), counted(0, "entry", "entries")
    ('1 alert', '1,200 alerts', '0 entries')
    """
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def printable(text: str, instead: str = " ") -> str:
    r"""Text from events, without what a terminal, a header or a comment would act upon.

    >>> printable("two\nlines"), printable("\x1b[2J", "?")
    ('two lines', '?[2J')
    """
    return "".join(c if c.isprintable() else instead for c in text)


def number(value: float | None) -> str:
    """Four figures, thousands apart.

    >>> number(212.4), number(0.91234), number(1234567.8), number(1e-7), number(None)
    ('212.4', '0.9123', '1,234,568', '1e-07', '–')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:,.0f}" if 1_000 <= abs(value) < 1e15 else f"{value:.4g}"


def apart(first: float, second: float) -> tuple[str, str]:
    """Two numbers as `number` says them, with as many figures more as it takes to tell them apart.

    >>> apart(49.7, 79.04), apart(1e9, 1e9 + 1.25), apart(5.0, 5.0)
    (('49.7', '79.04'), ('1,000,000,000', '1,000,000,001'), ('5', '5'))
    """
    return _with_figures((number(first), number(second)), first, second)


def differing(first: float, second: float) -> tuple[str, str]:
    """The same as sentences of alerts say numbers: four figures, with an exponent where that is shorter.

    >>> differing(49.7, 123456.0), differing(1e9, 1e9 + 1.25), differing(0.99991, 0.99992)
    (('49.7', '1.235e+05'), ('1,000,000,000', '1,000,000,001'), ('0.99991', '0.99992'))
    """
    return _with_figures((f"{first:.4g}", f"{second:.4g}"), first, second)


def _with_figures(said: tuple[str, str], first: float, second: float) -> tuple[str, str]:
    figures = 4
    while said[0] == said[1] and first != second and figures < _FIGURES_MAX:
        figures += 1
        said = f"{first:,.{figures}g}", f"{second:,.{figures}g}"
    return said


def percent(share: float | None) -> str:
    """A share of rows.

    >>> percent(0.1234), percent(0.00012), percent(None)
    ('12.3 %', '0.012 %', '–')
    """
    if share is None or not math.isfinite(share):
        return "–"
    return f"{100 * share:.3g} %" if 0 < share < 0.01 else f"{100 * share:.1f} %"


def moment(ms: int | None) -> str:
    """A moment, to the second.

    >>> moment(1_772_359_210_000)
    '2026-03-01 10:00:10'
    """
    if ms is None:
        return NOTHING
    try:
        return (_EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:
        return f"{ms} ms"  # beyond the year 9999: an event may say so


def instant(text: str | None) -> str:
    """A moment of an alert record, written as on the rest of the page.

    >>> instant("2026-03-01T10:00:10.000Z")
    '2026-03-01 10:00:10'
    """
    return NOTHING if not text else text[:19].replace("T", " ")


def span(seconds: float) -> str:
    """A length of time in its one or two largest units.

    >>> span(8), span(750), span(93_000), span(-3)
    ('8 s', '12 min 30 s', '1 d 1 h', '0 s')
    """
    left = max(0, round(seconds))
    for at, (size, unit) in enumerate(_SPANS):
        if left >= size:
            rest_size, rest_unit = _SPANS[at + 1] if at + 1 < len(_SPANS) else (1, "")
            rest = left % size // rest_size
            return f"{left // size} {unit}" + (f" {rest} {rest_unit}" if rest and rest_unit else "")
    return "0 s"


def share(part: float, whole: float) -> int:
    """`part` of `whole` in per cent, within 0 to 100, for bars.

    >>> share(8.1, 12.7), share(3, 0), share(5, 2)
    (64, 0, 100)
    """
    return round(100 * min(max(part / whole, 0.0), 1.0)) if whole > 0 else 0
