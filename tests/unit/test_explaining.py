"""Does an alert say since when, how much, what moved and for whom, in few words and always the same?"""

from pathlib import Path

import numpy as np
import orjson
import pytest

from streamcheck.core.alerts import Change, Finding, Transition
from streamcheck.core.detectors.cusum import Cusum
from streamcheck.core.explaining import explained, since
from streamcheck.core.measures._categories import CategoryAccumulator
from streamcheck.core.measures.base import share_size, value_size
from streamcheck.core.moved import NAME_MAX, SHOWN_MAX, bins_moved, categories_moved
from streamcheck.core.plan import ComponentSpec, MonitorSpec, Target
from streamcheck.core.summaries import Layout, fold_categorical
from streamcheck.core.types import Signal

PANE_MS = 10_000
ROOT = Path(__file__).parents[2]


def test_bins_that_changed_most_come_with_their_shares_and_quantiles() -> None:
    layout = Layout.build(np.arange(1_000.0))
    then = layout.counts(np.arange(1_000.0))
    now = layout.counts(np.sort(np.concatenate([np.arange(0.0, 1_000.0, 4), np.full(250, 950.0)])))
    evidence, words = bins_moved(layout, now, then)
    assert evidence["moved"] == pytest.approx(0.45, abs=0.01)
    first = evidence["bins"][0]
    assert (first["before"], first["after"]) == (pytest.approx(0.1, abs=0.01), pytest.approx(0.55, abs=0.01))
    assert first["from"] < 950
    assert first["to"] is None
    assert evidence["quantiles"]["before"] == pytest.approx([100, 500, 900], abs=5)
    assert evidence["quantiles"]["after"][2] == pytest.approx(950, abs=5)
    assert words.startswith("of the newest 500 rows: median 5")
    assert "44.9 % lie elsewhere (6.6 % by chance), 901 and above: 9.9 % -> 54.8 %" in words
    assert len(evidence["bins"]) == SHOWN_MAX


@pytest.mark.parametrize(
    ("first", "newest", "before", "after", "named"),
    [
        (np.repeat([0.0, 1.0], [700, 300]), [0.0] * 30 + [1.0] * 70, [0, 0, 1], [0, 1, 1], "0: 70.0 % -> 30.0 %"),
        (np.repeat([0.0, 1.0], [990, 10]), [0.0] * 80 + [1.0] * 20, [0, 0, 0], [0, 0, 1],
         "1 and above: 1.0 % -> 20.0 %"),
        (np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], [110, 110, 110, 200, 470]), [1.0] * 60 + [4.0] * 40, [1, 4, 5], [1, 1, 4],
         "5: 47.0 % -> 0.0 %"),
        (np.repeat([0.5, 1.5, 2.5], [400, 400, 200]), [2.5] * 100, [0.5, 1.5, 2.5], [2.5] * 3, "0.5: 40.0 % -> 0.0 %"),
        (np.full(100, 5.0), [9.0] * 100, [5, 5, 5], [9, 9, 9], "5: 100.0 % -> 0.0 %, above 5: 0.0 % -> 100.0 %"),
        (np.full(100, 5.25), [-3.0] * 100, [5.25] * 3, [-3] * 3, "below 5.25: 0.0 % -> 100.0 %"),
        (np.arange(1_000.0), np.arange(2_000.0, 2_100.0), [100, 500, 900], [2_010, 2_050, 2_090], "901 and above"),
    ],
    ids=["flag", "rare", "ratings", "halves", "constant", "constant falls", "many"],
)  # fmt: skip
def test_quantiles_are_values_of_the_column(first, newest, before, after, named) -> None:
    """Where few values hold all rows they are among them, and names of bins say them."""
    layout, now = Layout.build(first), np.sort(newest)
    evidence, words = bins_moved(layout, layout.counts(now), layout.counts(np.sort(first)), now[0], now[-1])
    width = 0.01 * (first[-1] - first[0]) if len(set(first)) > 5 else 0.0
    assert evidence["quantiles"]["before"] == pytest.approx(before, abs=width)
    assert evidence["quantiles"]["after"] == pytest.approx(after, abs=width)
    assert named in words


def test_quantiles_have_the_digits_that_their_column_needs() -> None:
    """Of 1e-7 as of 1e9 and a little."""
    for scale, offset in ((1e-7, 0.0), (1.0, 1e9), (1e300, 0.0)):
        first = offset + scale * np.arange(1_000.0) / 1_000
        layout = Layout.build(first)
        evidence, words = bins_moved(layout, layout.counts(first + scale / 4), layout.counts(first))
        expected = [offset + scale * at for at in (0.1, 0.5, 0.9)]
        assert evidence["quantiles"]["before"] == pytest.approx(expected, abs=0.01 * scale)
        before, after = words.split("median ")[1].split(", ")[0].replace(",", "").split(" -> ")
        assert float(after) - float(before) == pytest.approx(scale / 4, rel=0.5) or offset


def test_beyond_all_bins_there_is_no_quantile() -> None:
    """Unless the pane says what its largest value is."""
    layout = Layout.build(np.arange(100.0))
    then, now = layout.counts(np.arange(100.0)), layout.counts(np.full(100, 1e9))
    evidence, words = bins_moved(layout, now, then)
    assert evidence["quantiles"]["after"] == [None, None, None]
    assert "median" not in words


def categories(names: list[str], counts: list[int]):
    codes = np.repeat(np.arange(len(names)), counts).astype(np.int32)
    return fold_categorical(codes, np.zeros(len(codes), np.uint8), tuple(names)).summary(0)


def test_categories_come_with_shares_before_and_after_and_bounded_names() -> None:
    then = CategoryAccumulator()
    then.add(categories(["DE", "FR", "CH"], [60, 30, 10]))
    evidence, words = categories_moved(categories(["DE", "X" * 500, "FR"], [30, 40, 30]), then)
    assert evidence["categories"] == [
        {"category": "X" * NAME_MAX, "before": 0.0, "after": 0.4},
        {"category": "DE", "before": 0.6, "after": 0.3},
        {"category": "CH", "before": 0.1, "after": 0.0},
    ]
    assert evidence["moved"] == 0.4
    assert words.endswith("DE: 60.0 % -> 30.0 %")


def test_equal_differences_stand_in_the_order_of_names_and_what_is_equal_is_not_named() -> None:
    then = CategoryAccumulator()
    then.add(categories(["b", "a", "c"], [10, 10, 10]))
    same, words = categories_moved(categories(["c", "b", "a"], [10, 10, 10]), then)
    assert (same["moved"], same["categories"], words) == (0.0, [], "")
    told, _ = categories_moved(categories(["c", "b", "a"], [30, 0, 0]), then)
    assert [one["category"] for one in told["categories"]] == ["c", "a", "b"]


def test_what_chance_makes_of_few_rows_is_not_said_to_have_moved() -> None:
    """`moved` of panes from the reference itself is what is said to be by chance; few rows are not told to people."""
    rng, layout = np.random.default_rng(5), Layout.build(np.arange(1_000.0))
    then = layout.counts(np.sort(rng.uniform(0, 1_000, 20_000)))
    for rows in (20, 60, 500):
        panes = [bins_moved(layout, layout.counts(np.sort(rng.uniform(0, 1_000, rows))), then) for _ in range(100)]
        moved = np.mean([evidence["moved"] for evidence, _ in panes])
        assert moved == pytest.approx(panes[0][0]["moved_by_chance"], rel=0.1)
        named = sum(":" in words.removeprefix(f"of the newest {rows} rows:") for _, words in panes)
        assert named <= 60, "of ten bins each beyond two errors with 5 %"
    few = np.concatenate([rng.uniform(0, 1_000, 18), [950.0]])
    evidence, words = bins_moved(layout, layout.counts(np.sort(few)), then)
    assert evidence["moved_rows"] == 19
    assert "median" not in words
    assert "elsewhere" not in words


def test_one_row_is_not_a_category_with_a_hundred_per_cent() -> None:
    then = CategoryAccumulator()
    then.add(categories(["DE", "FR"], [60, 40]))
    evidence, words = categories_moved(categories(["FR"], [1]), then)
    assert words == ""
    assert evidence["moved_rows"] == 1
    _, words = categories_moved(categories(["XX", "DE"], [3, 2]), then)
    assert words == "of the newest 5 rows: XX: 0.0 % -> 60.0 %", "three rows of what never was are no chance"
    _, words = categories_moved(categories(["DE", "FR"], [18, 12]), then)
    assert words == "", "as it was"


def test_sizes_are_in_units_that_people_know() -> None:
    assert share_size(0.042, 0.001) == {"points": pytest.approx(4.1)}
    assert value_size(212.4, 104.9, 80.0) == {"change": pytest.approx(107.5), "sd": pytest.approx(1.34375)}
    assert value_size(20.0, 10.0) == {"change": 10.0, "per_cent": 100.0}
    assert value_size(20.0, 0.0) == {"change": 20.0}


def found(detector: Cusum, shift: float, rng: np.random.Generator) -> tuple[tuple[int, int], int]:
    """The interval of a run that shifts at pane 60, and where it was told; without false alarms before."""
    for at in range(1_000):
        z = float(rng.normal()) + (shift if at >= 60 else 0.0)
        verdict = detector.step(Signal(z, 0.0, 1.0, 50, z, 0.0), at * PANE_MS)
        if verdict.drifting:
            evidence = (("signal", z), ("expected", 0.0), ("standard_error", 1.0))
            began = verdict.change_at if verdict.change_at is not None else at * PANE_MS
            finding = Finding(began, z, 0.0, verdict.score, verdict.threshold, 50, 1, evidence)
            interval = since(finding, at * PANE_MS, PANE_MS)
            assert interval is not None
            return interval, at
    raise AssertionError("not found")


@pytest.mark.parametrize("shift", [1.0, 1.5, 2.0, 3.0, 5.0])
def test_the_change_began_within_its_interval_nine_times_of_ten(shift: float) -> None:
    rng, inside, width = np.random.default_rng(int(10 * shift)), 0, 0
    for _ in range(200):
        (low, high), at = found(Cusum(h=12.0), shift, rng)
        assert high <= at * PANE_MS
        inside += low <= 60 * PANE_MS <= high
        width += (high - low) // PANE_MS
    assert inside >= 180
    assert width / 200 <= 63


def test_only_what_opens_is_explained() -> None:
    """The others cost nothing: nobody even looks at the instances."""
    spec = MonitorSpec("m", Target.COLUMN, "x", ComponentSpec("cusum"), ComponentSpec("mean_shift"))
    transition = Transition("resolved", 0, 0, PANE_MS, Finding(0, 1.0, 0.0, 1.0, 2.0, 5, 1))
    changes = [Change(spec, (), "mean", transition)]
    assert explained(changes, (instance for instance in [1 / 0 for _ in []]), PANE_MS) is changes


def test_the_example_of_the_docs_is_what_the_engine_says() -> None:
    told = [orjson.loads(line) for line in (ROOT / "tests/golden/binary.alerts.jsonl").read_bytes().splitlines()]
    text = (ROOT / "docs/concepts.md").read_text()
    block = text.split("```text\n")[1].split("```")[0]
    assert block.replace("\n", " ").strip() in [record.get("summary") for record in told]
