"""Does a detector keep the contract? What it must do for whoever steps it, whatever it is made of."""

import doctest
import inspect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from streamcheck.core.codec import decode, encode
from streamcheck.core.components import Param, build, components
from streamcheck.core.detectors.base import Detector, Domain, PaneDetector, RowDetector
from streamcheck.core.types import FloatArray, Signal
from streamcheck.errors import ParameterError

ROWS, SIGNALS = 4_000, 2_000
ROWS_TO_NOTICE, SIGNALS_TO_NOTICE = 400, 10

Seen = list[tuple[Any, ...]]

def _class(name: str) -> type[Detector]:
    found = components("detector")[name]
    assert issubclass(found, Detector), f"{name} is no detector"
    return found


def make(name: str, **params: Any) -> Detector:
    """The detector with the parameters of its example, calibrated or seeded."""
    detector: Detector = build("detector", name, {**_class(name).example, **params})
    if isinstance(detector, PaneDetector):
        detector.calibrate(2_000)
    if isinstance(detector, RowDetector):
        detector.seed(7)
    return detector


def signal(value: float, rows: int = 100, events: int | None = None, se: float = 1.0, center: float = 0.0) -> Signal:
    """One pane's signal, in standard errors where se is 1."""
    return Signal(value, center, se, rows, value, center, events)


def values(detector: Detector, rows: int, seed: int, *, changed: bool = False) -> FloatArray:
    """Stable input within the detector's domain, or input that has clearly changed."""
    rng = np.random.default_rng(seed)
    if not isinstance(detector, RowDetector) or detector.domain is Domain.REAL:
        return rng.normal(6.0 if changed else 0.0, 1.0, rows)
    return (rng.random(rows) < (0.7 if changed else 0.1)).astype(np.float64)


def step(detector: Detector, chunk: FloatArray, at: int) -> Seen:
    """The chunk's verdicts as tuples; for a pane detector each value is a signal in standard errors."""
    if isinstance(detector, RowDetector):
        verdict = detector.step(chunk)
        told = verdict.since, verdict.score, verdict.threshold, verdict.direction, verdict.level
        return [(verdict.drifts.tolist(), *told)]
    assert isinstance(detector, PaneDetector)
    seen = [detector.step(signal(float(value)), at + i) for i, value in enumerate(chunk)]
    return [(v.drifting, v.score, v.threshold, v.change_at, v.direction) for v in seen]


def chunks(rows: FloatArray, cuts: Sequence[int]) -> Iterator[tuple[int, FloatArray]]:
    """Where each chunk begins, and its rows."""
    edges = [0, *cuts, len(rows)]
    for begin, end in itertools.pairwise(edges):
        yield begin, rows[begin:end]


def drifts(detector: Detector, rows: FloatArray) -> list[int]:
    """Positions at which it drifts."""
    seen = step(detector, rows, 0)
    return seen[0][0] if isinstance(detector, RowDetector) else [at for at, told in enumerate(seen) if told[0]]


def reborn(name: str, detector: Detector) -> Detector:
    """The detector after a stop and a start: a fresh one, given the state through the codec."""
    fresh = make(name)
    fresh.restore(decode(name, encode(name, 1, detector.export()))[1])
    return fresh


def bad_values(declared: Param) -> list[Any]:
    """Values that a parameter must refuse."""
    if declared.type is tuple:
        return [object(), None, [], [[1]], [True], [0.5]]
    wrong: list[Any] = [object(), [1]]
    wrong += [] if declared.nullable else [None]
    wrong += ["a text"] if declared.type is not str or declared.choices else [1]
    if declared.type in (int, float):
        least = 1 if declared.type is int else 1e-9
        wrong += [float("nan"), float("inf"), True]
        wrong += [declared.type(bound) for bound in (declared.gt, declared.lt) if bound is not None]
        wrong += [declared.ge - least] if declared.ge is not None else []
        wrong += [declared.le * (1 + 1e-9) + least] if declared.le is not None else []
    return wrong


def drifts_in(detector: Detector, chunk: FloatArray, at: int) -> list[int]:
    """Positions within the chunk at which it drifts."""
    seen = step(detector, chunk, at)
    return seen[0][0] if isinstance(detector, RowDetector) else [i for i, told in enumerate(seen) if told[0]]


def spoil(state: Any) -> None:
    """Overwrite everything in a state that can be overwritten."""
    if isinstance(state, np.ndarray):
        state[...] = 0
    elif isinstance(state, list | dict):
        for item in list(state.values() if isinstance(state, dict) else state):
            spoil(item)
        state.clear()


class DetectorContract:
    """Tests of one registered detector: subclass it in a test module and name the class.

    >>> from streamcheck.core.detectors.cusum import Cusum
    >>> class TestCusum(DetectorContract):
    ...     component = Cusum

    Attributes: bytes_max, of the encoded state with the parameters of `example`, whatever it has seen;
    stable_drifts_max, by name, how often it may drift in 4,000 rows (2,000 signals) in which nothing changes: never,
    unless said otherwise; slow, by name: 5,000 rows in the place of 50,000 must do to see that its state is bounded.
    """

    component: ClassVar[type[Detector]]
    bytes_max: ClassVar[int] = 8_192
    stable_drifts_max: ClassVar[Mapping[str, int]] = {}
    slow: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def name(self) -> str:
        """Under which name it is registered."""
        return self.component.name

    def stable(self, name: str, detector: Detector, rows: int) -> FloatArray:  # noqa: ARG002 - for those who need it
        """Input in which nothing changes."""
        return values(detector, rows, 11)

    def passed(self, name: str, score: float, threshold: float, direction: int) -> bool:  # noqa: ARG002 - the same
        """Whether a score that drifts has passed its threshold."""
        return score >= threshold

    def test_documented(self, name: str) -> None:
        """Module, class and parameters say what they are for."""
        cls = components("detector")[name]
        module = inspect.getmodule(cls)
        assert module is not None
        for text in (inspect.getdoc(module), inspect.getdoc(cls)):
            assert text, name
            assert "?" in text.splitlines()[0], f"{name}: the first line says which question is answered"
        for declared in cls.params:
            assert declared.doc.endswith("."), f"{name}.{declared.name}: a sentence says what it is"

    def test_example_runs(self, name: str) -> None:
        """Its docstring has an example, and the example is right."""
        cls = components("detector")[name]
        found = [case for case in doctest.DocTestFinder().find(cls, name) if case.name == name and case.examples]
        assert found, f"{name}: its docstring has an example"
        result = doctest.DocTestRunner().run(found[0])
        assert result.failed == 0
        assert result.attempted > 1

    def test_restarted_it_holds_nothing_against_what_comes(self, name: str) -> None:
        """Evidence of a change is forgotten, what is needed to see the next one is not."""
        detector = make(name)
        if not isinstance(detector, PaneDetector):
            return
        assert detector.suspects > 0
        assert drifts(detector, values(detector, SIGNALS_TO_NOTICE, 1, changed=True))
        detector.restart()
        stable = values(detector, 50, 2)
        assert not drifts(detector, stable)
        assert drifts(detector, values(detector, SIGNALS_TO_NOTICE, 3, changed=True))

    def test_refuses_parameters_out_of_bounds(self, name: str) -> None:
        """With the name of the parameter."""
        for declared in components("detector")[name].params:
            for value in bad_values(declared):
                with pytest.raises(ParameterError, match=f"{declared.name} must be") as caught:
                    make(name, **{declared.name: value})
                assert caught.value.parameter == declared.name

    def test_numbers_are_bounded(self, name: str) -> None:
        """A limit on whatever takes memory or time: whole numbers say how much of something is kept, or are counts."""
        for declared in components("detector")[name].params:
            if declared.type is int:
                assert declared.ge is not None, f"{name}.{declared.name} has no lower bound"

    def test_refuses_an_unknown_parameter_and_names_the_nearest(self, name: str) -> None:
        """A typing mistake is told as one."""
        for declared in components("detector")[name].params:
            mistyped = f"{declared.name}x"
            with pytest.raises(ParameterError, match=f"has no parameter '{mistyped}'") as caught:
                build("detector", name, {mistyped: 1})
            assert caught.value.suggestion == declared.name

    @pytest.mark.parametrize("seed", [1, 2])
    def test_restored_mid_stream_equals_uninterrupted(self, name: str, seed: int) -> None:
        """Every chunk is followed by a stop and a start: in mid warm-up, right after drifts, anywhere."""
        rng = np.random.default_rng(seed)
        parts = [values(make(name), ROWS // 4, seed + part, changed=part in (1, 3)) for part in range(4)]
        rows = np.concatenate(parts)
        after_drifts = [at + 1 for at in drifts(make(name), rows) if at + 1 < len(rows)]
        cuts = sorted({1, 2, 3, 17, *after_drifts[:40], *rng.integers(1, len(rows), 60).tolist()})
        whole, stopped = make(name), make(name)
        for at, chunk in chunks(rows, cuts):
            told = step(whole, chunk, at)
            again = step(stopped, chunk, at)
            assert told == again, f"after row {at}"
            assert encode(name, 1, whole.export()) == encode(name, 1, stopped.export()), f"after row {at}"
            stopped = reborn(name, stopped)

    def test_drifts_do_not_depend_on_how_rows_are_cut(self, name: str) -> None:
        """Row by row, or in any portions."""
        rows = np.concatenate([values(make(name), 1_000, 5), values(make(name), 1_000, 6, changed=True)])
        whole = drifts(make(name), rows)
        for cuts in (range(1, len(rows)), range(7, len(rows), 97)):
            detector = make(name)
            found: list[int] = []
            for at, chunk in chunks(rows, list(cuts)):
                found += [at + position for position in drifts_in(detector, chunk, at)]
            assert found == whole

    def test_shares_no_memory_with_exports(self, name: str) -> None:
        """Whoever spoils an exported state spoils nothing else."""
        rows = np.concatenate([values(make(name), 600, 5), values(make(name), 200, 6, changed=True)])
        whole, exporting, restored = make(name), make(name), make(name)
        for at, chunk in chunks(rows, [300, 550]):
            told = step(whole, chunk, at)
            assert step(exporting, chunk, at) == told
            spoil(exporting.export())
            state = whole.export()
            restored.restore(state)
            spoil(state)
            assert encode(name, 1, restored.export()) == encode(name, 1, whole.export())

    def test_state_stays_bounded(self, name: str) -> None:
        """However much it has seen."""
        detector = make(name)
        total = 5_000 if name in self.slow else 50_000
        rows = values(detector, total, 9)
        for at, chunk in chunks(rows, range(1_000, total, 1_000)):
            step(detector, chunk, at)
            assert len(encode(name, 1, detector.export())) <= self.bytes_max

    def test_survives_hostile_values(self, name: str) -> None:
        """Extremes of the domain, constants, denormals: no error, no NaN in scores, and the state still restores."""
        detector = make(name)
        huge, tiny = 1e300, 5e-324
        if isinstance(detector, RowDetector) and detector.domain is not Domain.REAL:
            inside = [0.0, 1.0] if detector.domain is Domain.BINARY else [0.0, 1.0, tiny, 1 - 2**-53, 0.5]
        else:
            inside = [huge, -huge, 1.7e308, -1.7e308, tiny, -tiny, 0.0, -0.0, 1.0]
        rng = np.random.default_rng(4)
        constants = np.repeat(inside, 120)
        mixed = rng.choice(inside, 1_500)
        for part, rows in enumerate((constants, mixed, values(detector, 300, 3))):
            for told in step(detector, rows.astype(np.float64), part):
                scores = [number for number in told if isinstance(number, float)]
                assert not any(math.isnan(number) for number in scores), told
            detector = reborn(name, detector)

    def test_an_empty_run_changes_nothing(self, name: str) -> None:
        """No rows, no verdict, the same state."""
        detector = make(name)
        if isinstance(detector, RowDetector):
            detector.step(values(detector, 500, 1))
            before = encode(name, 1, detector.export())
            verdict = detector.step(np.empty(0))
            assert (verdict.drifts.tolist(), verdict.since) == ([], 1)
            assert encode(name, 1, detector.export()) == before

    def test_silent_on_stable_input(self, name: str) -> None:
        """Where nothing changes it says nothing."""
        detector = make(name)
        rows = ROWS if isinstance(detector, RowDetector) else SIGNALS
        assert len(drifts(detector, self.stable(name, detector, rows))) <= self.stable_drifts_max.get(name, 0)

    def test_fires_on_a_clear_step(self, name: str) -> None:
        """Where much changes it says so, soon."""
        detector = make(name)
        rowwise = isinstance(detector, RowDetector)
        noticing = ROWS_TO_NOTICE if rowwise else SIGNALS_TO_NOTICE
        drifts(detector, values(detector, 1_000, 12))
        found = drifts(detector, values(detector, noticing, 13, changed=True))
        assert found, f"{name} did not notice the change within {noticing} steps"

    def test_a_level_is_that_of_the_rows_since(self, name: str) -> None:
        """A row detector that tells it tells the mean of the newest `since` rows, the drifting one included."""
        detector = make(name)
        if isinstance(detector, RowDetector):
            seen = np.concatenate([values(detector, 1_000, 16 + part, changed=part % 2 > 0) for part in range(4)])
            for begin, rows in chunks(seen, range(70, len(seen), 70)):
                verdict = detector.step(rows)
                if len(verdict.drifts) and verdict.level is not None:
                    end = begin + int(verdict.drifts[-1]) + 1
                    assert math.isclose(verdict.level, seen[end - verdict.since : end].mean(), abs_tol=1e-9)

    def test_verdicts_hang_together(self, name: str) -> None:
        """A drift has a plausible start and, where there is a score, one that has passed the threshold."""
        detector = make(name)
        for part, changed in enumerate((False, True)):
            for told in step(detector, values(detector, 1_000, 14 + part, changed=changed), 1_000 * part):
                start, score, threshold = (told[3], *told[1:3]) if isinstance(detector, PaneDetector) else told[1:4]
                assert (score is None) == (threshold is None)
                assert told[4] in (-1, 0, 1)
                if told[0]:
                    assert 0 <= start <= 2_000
                    assert score is None or self.passed(name, score, threshold, told[4])
