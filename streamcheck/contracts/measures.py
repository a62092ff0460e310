"""Does a measure keep the contract? Honest standard errors, exact restoring, no surprise on panes that nobody wants."""

import dataclasses
import inspect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from streamcheck.contracts.detectors import bad_values, spoil
from streamcheck.contracts.panes import KINDS, LAYOUT, hostile_tops, together
from streamcheck.core.codec import decode, encode
from streamcheck.core.components import build, components
from streamcheck.core.measures.base import LabelledMeasure, Measure, Needs
from streamcheck.core.plan import Task
from streamcheck.core.summaries import (
    LabelledRows,
    Moment,
    StreamSummary,
    ValuesSummary,
    fold_categorical,
    fold_numeric,
)
from streamcheck.core.summaries.estimated import EstimateSummary, fold_estimated
from streamcheck.core.summaries.stream import Form, Silence
from streamcheck.core.types import Signal, SourcePartition
from streamcheck.errors import ParameterError

PANE_ROWS, REFERENCE_PANES = 200, 100
LABELLED = {Needs.LABELLED_CLASS, Needs.LABELLED_BINARY, Needs.LABELLED_SCORE, Needs.LABELLED_NUMBER}


def panes(measure: Measure, seed: int, n: int, *, changed: bool = False, rows: int = PANE_ROWS) -> list[Any]:
    """So many panes of the kind that the measure reads."""
    rng = np.random.default_rng(seed)
    return [KINDS[measure.needs](rng, rows, changed) for _ in range(n)]


def limited(name: str) -> bool:
    """Whether the measure has a limit of its own, so that what is usual decides nothing."""
    return getattr(components("measure")[name], "limit", None) is not None


def filled(measure: Measure, summaries: Sequence[Any]) -> Any:
    """An accumulator that has taken these in."""
    accumulator = measure.accumulator()
    for summary in summaries:
        accumulator.add(summary)
    return accumulator


def judged(measure: Measure, streams: int) -> Iterator[tuple[Signal, Any]]:
    """Signals of stable panes, with the reference that each is judged by: 60 panes of each of so many streams."""
    for seed in range(100, 100 + streams):
        summaries = panes(measure, seed, REFERENCE_PANES + 60)
        reference = filled(measure, summaries[:REFERENCE_PANES])
        for pane in summaries[REFERENCE_PANES:]:
            signal = measure.signal(pane, reference)
            assert signal is not None
            yield signal, reference


def hostile(needs: Needs) -> list[Any]:  # noqa: PLR0911 - one of each kind
    """Panes that nobody wants: empty, all missing, one row, constant, huge, beyond the domain."""
    usable = KINDS[needs](np.random.default_rng(5), 50, False)  # noqa: FBT003 - as MakePane
    if needs is Needs.STREAM:
        return [*_hostile_streams(), usable]
    if needs is Needs.FEATURES:
        return [usable, *_hostile_features()]
    if needs is Needs.DIFFERENCE:
        return [usable, *(Moment.of(np.array(held)) for held in ([1.0], [7.0] * 3, [1.7e308] * 3, [0.0] * 3))]
    if needs is Needs.ESTIMATED:
        return [usable, *_hostile_estimates()]
    if needs in (Needs.CATEGORICAL, Needs.CODES):
        return [usable, *_hostile_categories()]
    if needs is Needs.TOP:
        return [usable, *hostile_tops()]
    huge = 1.7e308
    columns = [[1.0], [7.0] * 3, [huge] * 3, [-huge, huge, 0.0], [5e-324, -5e-324, 0.0], [0.0] * 3]
    if needs is Needs.VALUES:
        return [usable, *_hostile_values([*columns, []])]
    numeric = needs in {Needs.NUMERIC, Needs.FIELD}
    return [usable, *(_hostile_numbers(columns) if numeric else labelled_hostiles(needs, columns))]


def _hostile_estimates() -> list[EstimateSummary]:
    held = [np.zeros(1), np.ones(3), np.array([0.0, 0.5, 1.0])]
    folds = [fold_estimated(np.arange(len(c)), said, c, np.full(len(c), 31)) for c in held for said in (c, 1 - c)]
    return [fold.summaries(None, 1)[0] for fold in folds]


def _hostile_streams() -> list[StreamSummary]:
    silent, forms = Silence(SourcePartition("p", 0), 10**15, 0, 10**6), (("a", Form.ABSENT), ("b", Form.PRESENT))
    one, many = StreamSummary(1, unlabelled=1), StreamSummary(10**12, labelled=10**12, unlabelled=10**9)
    held = (StreamSummary(0), one, many, StreamSummary(1, 10**9, 10**9, 10**9, 10**9))
    return [*held, StreamSummary(9, forms=forms, usable=(0, 9)), StreamSummary(0, silences=(silent,))]


def _hostile_values(columns: Sequence[Sequence[float]]) -> list[ValuesSummary]:
    here, arrays = (SourcePartition("p", 0),), [np.array(column, np.float64) for column in columns]
    folds = [fold_numeric(held, np.zeros(len(held), np.uint8), LAYOUT).summary(0) for held in arrays]
    return [ValuesSummary(f, held, here, np.array([len(held)])) for f, held in zip(folds, arrays, strict=True)]


def _hostile_features() -> list[Any]:
    few, many = np.ones((4, 1)), np.ones((4, 40))
    huge = np.array([[1.7e308, -1.7e308] * 20] * 4)
    held = [(few, [True]), (few, [False]), (many, [True] * 40), (many, [False] * 40), (huge, [True] * 40)]
    return [together(columns, np.array(mask)) for columns, mask in held]


def _hostile_categories() -> list[Any]:
    ok, gone, codes = np.zeros(3, np.uint8), np.ones(3, np.uint8), np.arange(3, dtype=np.int32)
    folds = [fold_categorical(codes % len(names), ok, names) for names in (("a",), ("b",), ("a", "b", "c"))]
    folds += [fold_categorical(codes[:0], ok[:0], ()), fold_categorical(codes * 0 - 1, gone, ("a",))]
    return [fold.summary(0) for fold in folds]


def _hostile_numbers(columns: Sequence[Sequence[float]]) -> list[Any]:
    ok, gone, arrays = np.zeros(3, np.uint8), np.ones(3, np.uint8), [np.array(column) for column in columns]
    folds = [fold_numeric(held, ok[: len(held)], layout, (0.0, 1.0)) for held in arrays for layout in (None, LAYOUT)]
    folds += [fold_numeric(np.zeros(3), gone, LAYOUT), fold_numeric(np.empty(0), ok[:0], LAYOUT)]
    return [fold.summary(0) for fold in folds]


def labelled_hostiles(needs: Needs, columns: Sequence[Sequence[float]]) -> list[LabelledRows]:
    """The same of labelled rows, with every kind of score."""
    task = Task.REGRESSION if needs is Needs.LABELLED_NUMBER else Task.BINARY
    held = columns if task is Task.REGRESSION else [[1.0], [0.0] * 3, [1.0] * 3, [1.0, 0.0, 1.0]]
    scores = [None, np.zeros(1), np.ones(3), np.full(3, np.nan)]
    scores += [np.array([np.nan, 0.5, 1e300]), np.array([-5.0, 0.0, 2.0])]
    made = [LabelledRows(np.empty(0), np.empty(0), np.empty(0), task)]
    for (a, b), score in itertools.product(itertools.product(held, held), scores):
        if len(a) == len(b) and (score is None or len(score) == len(a)):
            made.append(LabelledRows(np.array(a), np.array(b), score, task))
    return made


class MeasureContract:
    """Tests of one registered measure: subclass it in a test module and name the class.

    >>> from streamcheck.core.measures import Volume
    >>> class TestVolume(MeasureContract):
    ...     component = Volume

    Attributes: bytes_max, of an accumulator's encoded state, whatever it has seen; merge_error, by name, how far merged
    parts may differ from the whole, relatively; from_reference, names of those whose value is a distance from the
    reference, where others say a number of the pane; unscattered, names of those whose error cannot know how panes
    scatter.
    """

    component: ClassVar[type[Measure]]
    bytes_max: ClassVar[int] = 500_000
    merge_error: ClassVar[Mapping[str, float]] = {}
    from_reference: ClassVar[frozenset[str]] = frozenset()
    unscattered: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def name(self) -> str:
        """Under which name it is registered."""
        return self.component.name

    def test_documented(self, name: str) -> None:
        """Module, class and parameters say what they are for; the unit is a few words."""
        cls = components("measure")[name]
        assert issubclass(cls, Measure), f"{name} is no measure"
        for text in (inspect.getdoc(inspect.getmodule(cls)), inspect.getdoc(cls)):
            assert text, name
            assert "?" in text.splitlines()[0], f"{name}: the first line says which question is answered"
        for declared in cls.params:
            assert declared.doc.endswith("."), f"{name}.{declared.name}: a sentence says what it is"
        assert cls.direction in (-1, 0, 1)
        assert cls.unit
        assert cls.unit != "value", f"{name}: a few words for an alert's summary"
        assert issubclass(cls, LabelledMeasure) == (cls.needs in LABELLED)

    def test_refuses_bad_parameters(self, name: str) -> None:
        """With the name of the parameter."""
        for declared in components("measure")[name].params:
            for value in bad_values(declared):
                with pytest.raises(ParameterError, match=f"{declared.name} must be") as caught:
                    build("measure", name, {declared.name: value})
                assert caught.value.parameter == declared.name
        with pytest.raises(ParameterError, match="has no parameter 'nonsense'"):
            build("measure", name, {"nonsense": 1})

    def test_restored_mid_stream_equals_uninterrupted(self, name: str) -> None:
        """A stop and a start after every pane."""
        measure = build("measure", name, {})
        whole, stopped = measure.accumulator(), measure.accumulator()
        after = panes(measure, 2, 3)
        for summary in panes(measure, 1, 60) + hostile(measure.needs):
            assert whole.add(summary) == stopped.add(summary)
            state = encode(name, 1, whole.export())
            assert encode(name, 1, stopped.export()) == state
            stopped = measure.accumulator()
            stopped.restore(decode(name, state)[1])
            for pane in after:
                assert measure.signal(pane, whole) == measure.signal(pane, stopped)

    def test_shares_no_memory(self, name: str) -> None:
        """With an exported state, a restored one, another accumulator, or a pane."""
        measure = build("measure", name, {})
        accumulator = filled(measure, panes(measure, 1, 40))
        before = encode(name, 1, accumulator.export())
        spoil(accumulator.export())
        state, again, other = accumulator.export(), measure.accumulator(), measure.accumulator()
        again.restore(state)
        spoil(state)
        other.merge(accumulator)
        other.merge(accumulator)
        first = panes(measure, 1, 1)[0]
        own = filled(measure, [first])
        held = encode(name, 1, own.export())
        for array in (getattr(first, field.name) for field in dataclasses.fields(first)):
            if isinstance(array, np.ndarray):
                array[...] = 0
        assert encode(name, 1, own.export()) == held
        assert encode(name, 1, again.export()) == before
        assert encode(name, 1, accumulator.export()) == before

    def test_merged_parts_say_what_the_whole_says(self, name: str) -> None:
        """Slots of a calendar are merged."""
        measure = build("measure", name, {})
        summaries = panes(measure, 1, 60)
        whole, parts = filled(measure, summaries), measure.accumulator()
        for part in (summaries[:20], [], summaries[20:]):
            parts.merge(filled(measure, part))
        near = self.merge_error.get(name, 1e-9)
        for pane in panes(measure, 2, 5):
            expected, found = measure.signal(pane, whole), measure.signal(pane, parts)
            assert (expected.rows, expected.level) == (found.rows, found.level)
            exact = name not in self.from_reference
            assert found.value == (expected.value if exact else pytest.approx(expected.value, 1e-9))
            assert (found.center, found.se) == (pytest.approx(expected.center, near), pytest.approx(expected.se, near))
            assert found.baseline == pytest.approx(expected.baseline, near)

    def test_hostile_panes_give_finite_signals_or_none(self, name: str) -> None:
        """In a reference, or to be judged."""
        measure = build("measure", name, {})
        hostiles = hostile(measure.needs)
        references = [[], hostiles, hostiles[::-1], *([pane] * 40 for pane in hostiles)]
        signals = 0
        with np.errstate(all="raise", under="ignore"):
            for held in references:
                reference = filled(measure, held)
                assert "nan" not in str(reference.export())
                for pane in hostiles:
                    signal = measure.signal(pane, reference)
                    if signal is not None:
                        signals += 1
                        *own, background = signal
                        numbers = (*own, *(background or ()))
                        assert all(math.isfinite(number) for number in numbers if number is not None)
                        assert signal.se > 0
                        assert signal.rows >= 1
                        assert signal.events is None or 0 <= signal.events <= signal.rows
                        assert ((signal.value - signal.center) / signal.se) ** 2 < 1e19
        assert signals >= len(hostiles)

    def test_says_nothing_without_rows_or_without_reference(self, name: str) -> None:
        """Nothing is not zero."""
        measure = build("measure", name, {})
        pane = panes(measure, 1, 1)[0]
        assert not measure.learns or measure.signal(pane, measure.accumulator()) is None
        if not measure.empty_panes:
            nothing = panes(measure, 1, 1, rows=0)[0]
            reference = filled(measure, [pane] * 40)
            assert measure.signal(nothing, reference) is None
            assert reference.add(nothing) is False
            assert measure.signal(nothing, reference) is None

    def test_standard_errors_are_true(self, name: str) -> None:
        """On stable input z has mean 0 and standard deviation 1, the reference's own error included."""
        if limited(name):
            return  # it says how far a pane lies from its limit, not from what is usual
        measure = build("measure", name, {})
        z = [(signal.value - signal.center) / signal.se for signal, _ in judged(measure, 8)]
        assert abs(np.mean(z)) < 0.25
        assert 0.8 < np.std(z) < 1.25

    def test_a_clear_change_is_far_away_in_the_direction_of_interest(self, name: str) -> None:
        """A measure that sees nothing is none."""
        if limited(name):
            return  # it says how far a pane lies from its limit, not from what is usual
        measure = build("measure", name, {})
        reference = filled(measure, panes(measure, 1, REFERENCE_PANES))
        for pane in panes(measure, 2, 5, changed=True):
            signals = measure.signals(pane, reference, measure.parts(reference))
            signal = max(signals, key=lambda s: abs(s.value - s.center) / s.se)
            z = (signal.value - signal.center) / signal.se
            assert z * (measure.direction or math.copysign(1, z)) > 4
            shown = signal.level - signal.baseline
            assert math.copysign(1, shown) == math.copysign(1, z), "people are shown the same direction"

    def test_the_usual_range_is_in_the_unit_that_people_see(self, name: str) -> None:
        """It holds stable panes about 95 times of 100, and not changed ones."""
        if limited(name):
            return  # it says how far a pane lies from its limit, not from what is usual
        measure = build("measure", name, {})
        within = []
        for signal, reference in judged(measure, 4):
            low, high = measure.usual(signal, reference)
            assert low < high
            within.append(low <= signal.level <= high)
        assert 0.88 < np.mean(within) < 0.995
        for pane in panes(measure, 2, 5, changed=True):
            signal = measure.signal(pane, reference)
            low, high = measure.usual(signal, reference)
            assert not low <= signal.level <= high

    def test_events_are_those_of_the_share(self, name: str) -> None:
        """Where it is a share of rows."""
        if limited(name):
            return  # it says how far a pane lies from its limit, not from what is usual
        measure = build("measure", name, {})
        reference = filled(measure, panes(measure, 1, 40))
        for pane in panes(measure, 3, 5):
            signal = measure.signal(pane, reference)
            if signal.events is not None:
                assert signal.value == signal.level == signal.events / signal.rows
                assert 0 < signal.center < 1

    def test_a_reference_that_scatters_widens_the_error(self, name: str) -> None:
        """Panes that differ more than chance has it: no measure may take a usual pane for a sensation."""
        if name in self.unscattered or limited(name):
            return
        measure = build("measure", name, {})
        calm = filled(measure, panes(measure, 1, 80))
        pairs = zip(panes(measure, 1, 80), panes(measure, 2, 80, changed=True), strict=True)
        mixed = [pane for pair in pairs for pane in pair]
        restless = filled(measure, mixed)
        pane = panes(measure, 3, 1)[0]
        assert measure.signal(pane, restless).se > 1.5 * measure.signal(pane, calm).se

    def test_state_stays_bounded(self, name: str) -> None:
        """However many names it has seen."""
        measure = build("measure", name, {})
        accumulator = filled(measure, panes(measure, 1, 200))
        if measure.needs is Needs.CATEGORICAL:
            for start in range(0, 30_000, 500):
                ids = tuple(f"id{k}" for k in range(start, start + 500))
                pane = fold_categorical(np.arange(500, dtype=np.int32), np.zeros(500, np.uint8), ids).summary(0)
                accumulator.add(pane)
            assert measure.signal(panes(measure, 2, 1)[0], accumulator) is not None
        assert len(encode(name, 1, accumulator.export())) < self.bytes_max


class LabelledMeasureContract(MeasureContract):
    """The same of a measure of labelled rows, which has estimates for windows as well, and blocks."""

    @pytest.mark.parametrize("size", [1, 2, 7, 8, 50, 129, 300])
    def test_blocks_counted_in_one_go_are_those_counted_one_by_one(self, name: str, size: int) -> None:
        """Bit for bit: a threshold of today must not move with how many blocks a pane completes."""
        measure = build("measure", name, {})
        [rows] = panes(measure, size, 1, rows=20 * size)
        one_by_one = [rows.cut(at, at + size) for at in range(0, len(rows), size)]
        in_one_go = measure.summaries(rows, size)
        assert len(in_one_go) == len(one_by_one) == 20
        expected, found = filled(measure, one_by_one), filled(measure, in_one_go)
        assert encode(name, 1, found.export()) == encode(name, 1, expected.export())
        for block, again in zip(one_by_one, in_one_go, strict=True):
            assert repr(measure.signal(again, found)) == repr(measure.signal(block, expected))
        assert list(measure.summaries(rows.cut(0, 0), size)) == []

    def test_estimates_hold_the_truth_and_their_own_value(self, name: str) -> None:
        """The interval holds the truth 95 times of 100."""
        measure = build("measure", name, {})
        truth = measure.estimate(panes(measure, 9, 1, rows=200_000)[0]).value
        estimates = [measure.estimate(rows) for rows in panes(measure, 10, 300)]
        assert all(e.low <= e.value <= e.high and 0 < e.n <= PANE_ROWS for e in estimates)
        assert 0.9 < np.mean([e.low <= truth <= e.high for e in estimates]) < 0.99
        reference = filled(measure, panes(measure, 11, 40))
        rows = panes(measure, 12, 1)[0]
        signal = measure.signal(rows, reference)
        assert (signal.value, signal.rows) == (pytest.approx(measure.estimate(rows).value), measure.estimate(rows).n)

    def test_estimates_of_hostile_rows_are_finite_or_none(self, name: str) -> None:
        """Nothing is not zero."""
        measure = build("measure", name, {})
        with np.errstate(all="raise", under="ignore"):
            estimates = [measure.estimate(rows) for rows in hostile(measure.needs)]
        assert None in estimates, "rows without any evidence are not a zero"
        for estimate in estimates:
            if estimate is not None:
                assert all(math.isfinite(number) for number in dataclasses.astuple(estimate))
                assert estimate.low <= estimate.value <= estimate.high

    def test_blocks_say_what_their_rows_say(self, name: str) -> None:
        """To the last bit, to a detector and to a reference, though all blocks are summarised in one go."""
        measure = build("measure", name, {})
        reference = filled(measure, panes(measure, 11, 40))
        rows = panes(measure, 13, 1, rows=1_000)[0]
        together, alone = measure.summaries(rows, 50), [rows.cut(at, at + 50) for at in range(0, 1_000, 50)]
        assert [measure.signal(block, reference) for block in together] == [measure.signal(b, reference) for b in alone]
        assert repr(filled(measure, together).export()) == repr(filled(measure, alone).export())
        assert not measure.summaries(rows.cut(0, 0), 50)
