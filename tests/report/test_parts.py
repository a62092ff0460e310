"""Does a report show what the checks found beside alerts: on the page in light and dark, on a terminal, as JSON?"""

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from tests.report.conftest import replay
from tests.report.test_browser import EMPTY, draw_all
from tools.browser import Browser

START_MS = 1_772_359_200_000
ROWS = 24_000
CONFIG = """
version: 1
name: scoring
streams:
  predictions:
    topic: p
    id: id
    time: {field: ts, unit: ms}
    prediction: said
    score: score
    task: binary
    model_version: version
    features: {amount: numeric, ms: numeric, channel: categorical}
    segments: [tier, area, model_version]
  labels: {topic: l, id: id, label: truth, time: {field: at, unit: ms}, horizon: 1h}
time: {pane: 10s, lateness: 2s}
reference: {first: 15m}
search: {rows: 12000}
monitors:
  - on: defaults
  - {on: ms, enabled: false}
  - {name: fast, on: ms, measure: {burn_rate: {below: 300, objective: 0.99}}, alert: {severity: page}}
  - {on: ms, measure: {quantile: {p: 0.99}}, by: [tier]}
alerts: {owner: serving}
"""


def events() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Some rows are weak, a new version is worse, latency burns, a unit changes, a field goes."""
    rng, rows, labels = random.Random(5), [], []
    for n in range(ROWS):
        at, progress = START_MS + n * 250, n / ROWS
        chance = 1 / (1 + math.exp(-2 * rng.gauss(0, 1)))
        tier, area = rng.choice("ab"), rng.choice(["north", "south", "east"])
        new = progress > 0.5 and rng.random() < 0.5
        said, truth = chance > 0.5, rng.random() < chance
        if (tier == "a" and area == "north" and rng.random() < 0.4) or (new and rng.random() < 0.12):
            said = not said
        slow = 12 if 0.55 < progress < 0.8 and rng.random() < 0.4 else 1
        row = {"id": f"e{n}", "ts": at, "amount": math.exp(3 + 0.6 * rng.gauss(0, 1)), "tier": tier, "area": area}
        row |= {"ms": 40 * math.exp(0.5 * rng.gauss(0, 1)) * slow, "said": int(said), "score": round(chance, 4)}
        row |= {"version": "v2" if new else "v1", **({} if 0.6 < progress < 0.7 else {"channel": rng.choice("xy")})}
        rows.append(row | {"amount": row["amount"] * (100 if 0.35 < progress < 0.45 else 1)})
        labels.append({"id": f"e{n}", "at": at + rng.randrange(5_000, 60_000), "truth": int(truth)})
    return rows, sorted(labels, key=lambda label: label["at"])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    (folder / "config.yaml").write_text(CONFIG)
    for name, rows in zip("pl", events(), strict=True):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = replay(folder, "--html", str(folder / "r.html"), "--json", str(folder / "r.json"))
    (folder / "told.txt").write_text(told)
    return folder


PARTS = ("broken", "schema", "estimates", "versions", "weak", "objectives", "quantiles")


def test_every_part_is_on_the_page(found: Path) -> None:
    page = (found / "r.html").read_text()
    assert [part for part in PARTS if f'<section id="{part}">' not in page] == []
    for words in (
        "amount: unit changed x100 (as from euros to cents, or a share to per cent); ",
        "drift alerts follow from it",
        "<td>channel</td><td>disappeared</td>",
        "Estimated and realised accuracy",
        "v2 loses",
        "<td>tier=a, area=north</td>",
        "<td>fast</td><td>all</td><td>ms below 300</td><td>99.0 %</td>",
        "ms: p99, tier=a",
    ):
        assert words in page, words


def test_the_same_on_a_terminal_and_as_json(found: Path) -> None:
    told, result = (found / "told.txt").read_text(), json.loads((found / "r.json").read_bytes())
    assert "unit changed x100" in told
    assert "v2 loses" in told
    assert "tier=a, area=north" in told
    causes = [group["cause"] for group in result["groups"] if group["cause"]]
    assert any(cause.startswith("amount: unit changed x100") and "follow from it" in cause for cause in causes)
    burn = {alert["monitor"]: alert for alert in result["alerts"]}["fast"]
    assert burn["evidence"]["burn_rate"] > 6
    readings = {(each["monitor"], each["segment"].get("tier")): each for each in result["readings"]}
    assert [p for p, _ in readings["ms-p99", None]["quantiles"]] == [0.5, 0.95, 0.99]
    assert result["versions"][0]["verdict"] == "loses"
    assert {"tier": "a", "area": "north"} in [each["segment"] for each in result["weak_segments"]]


@pytest.mark.parametrize("dark", [False, True])
def test_it_draws_in_light_and_dark(found: Path, browser: Browser, dark: bool) -> None:
    browser.logged.clear()
    browser.open(found / "r.html", dark=dark)
    draw_all(browser)
    assert browser.run(EMPTY) == 0
    assert browser.logged == []
    for part in PARTS:
        assert browser.run(f"document.querySelector('#{part}').getBoundingClientRect().height") > 40
