"""The report as one HTML file that asks for nothing: charts, scripts and styles are in it."""

import base64
import hashlib
from importlib.resources import files
from itertools import count
from typing import Any

import jinja2
import orjson
from markupsafe import Markup

from streamcheck.report.html.marks import Chart
from streamcheck.report.html.story import tell
from streamcheck.report.result.result import Result

PLOTLY = "package_data/plotly.min.js"
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def render(result: Result) -> bytes:
    """The file's bytes: the same for the same result, but for one marked line. Raises ImportError without plotly."""
    here = files("streamcheck.report.html")
    scripts = [_script(files("plotly").joinpath(PLOTLY).read_text("utf-8"))]
    scripts.append(_script(here.joinpath("page.js").read_text("utf-8")))
    figures = _Figures()
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(here.joinpath("page.html").read_text("utf-8"))
    page = template.render(
        s=tell(result),
        figure=figures.add,
        figures=figures.taken,
        css=Markup(here.joinpath("page.css").read_text("utf-8")),  # noqa: S704 (our own file)
        scripts=[Markup(script) for script in scripts],  # noqa: S704 (our own file and the library's)
        policy=_policy(scripts),
    )
    return page.encode("utf-8", "backslashreplace")


class _Figures:
    """Figures of charts, numbered in the order in which the page shows them."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._figures: list[tuple[str, Markup]] = []

    def add(self, chart: Chart) -> str:
        """The name under which the chart's figure will stand in the page."""
        name = f"figure-{next(self._numbers)}"
        self._figures.append((name, _json(chart.figure)))
        return name

    def taken(self) -> list[tuple[str, Markup]]:
        """All names and figures so far."""
        return self._figures


def _json(figure: dict[str, Any]) -> Markup:
    """JSON that cannot end the element it stands in."""
    text = orjson.dumps(figure, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    return Markup(text.translate(_ESCAPES))  # noqa: S704 (escaped here)


def _script(text: str) -> str:
    """A script as it may stand in a page: what would end the element cannot occur in it."""
    clean = text.replace("\r\n", "\n")
    assert "</script" not in clean.lower(), "the script would end itself"
    assert "<!--" not in clean, "the script would be read as a comment"
    return clean


def _policy(scripts: list[str]) -> str:
    """Only these two scripts may run, and nothing may be asked for, whatever else came into the page."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"
