"""Are comparisons as columns, for many references and any figures, the same bits as signal by signal?"""

import numpy as np
import pytest

from streamcheck.core.components import build
from streamcheck.core.detectors._steps import numbers
from streamcheck.core.measures._compared import Figures
from streamcheck.core.measures._moments import MomentAccumulator
from streamcheck.core.measures._neighbours import Dependence
from streamcheck.core.measures._standing import Standing
from streamcheck.core.summaries import Moment
from streamcheck.core.terms import mean_steps, mean_terms, share_steps, share_terms

CASES = 300
LOPSIDED = ((0.0, 0.0), (0.0, 0.0), (3.0, 0.0), (-9.5, 2.0), (0.1, 0.0))
rng = np.random.default_rng(11)


def reference(*, shares):
    """Of few or many panes, of one size or any, that scatter as rows do, more, or hardly; rare and usual events."""
    made = MomentAccumulator(lambda moment: moment, lambda moment: Moment(moment.n, 3.0 * moment.total, moment.square))
    panes, size = int(rng.choice([1, 2, 5, 40])), int(rng.choice([1, 2, 50, 400]))
    apart = float(rng.choice([0.0, 0.3, 2.0]))
    rate, spread = float(rng.choice([0.0, 0.001, 0.3, 1.0])), float(rng.choice([1e-3, 0.2, 1.0, 50.0]))
    for _ in range(panes):
        n = size if size < 3 else int(rng.integers(1, 2 * size))
        if shares:
            events = float(rng.binomial(n, np.clip(rate + apart * 0.1 * rng.normal(), 0.0, 1.0)))
            made.add(Moment(n, events, events))
        else:
            made.add(Moment.of(rng.normal(apart * rng.normal(), spread, n)))
    if rng.random() < 0.3:
        made.assume(Dependence(0.4, 0.5), panes + 7)
    if rng.random() < 0.3:
        made.follow({"": Dependence(0.2, 0.3)})
    return made


def figures(*, shares):
    rows = int(rng.choice([1, 2, 30, 1_000]))
    if shares:
        events = int(rng.integers(0, rows + 1))
        return Figures(rows, events, events / rows)
    value = float(rng.normal() * rng.choice([0.1, 1.0, 1e4, 1e130]))
    return Figures(rows, value, 3.0 * value, *LOPSIDED[int(rng.integers(len(LOPSIDED)))])


@pytest.mark.parametrize("name", ["missing_rate", "mean_shift", "scale", "mean"])
def test_columns_are_the_same_bits_as_signals(name):
    measure = build("measure", name, {})
    cases = [(reference(shares=measure.shares), figures(shares=measure.shares)) for _ in range(CASES)]
    found = [measure.standing(content) for content, _ in cases]
    cases = [case for case, standing in zip(cases, found, strict=True) if standing is not None]
    assert len(cases) > CASES / 2
    known = Standing(*np.array([standing for standing in found if standing is not None]).T)
    columns = np.array([each for _, each in cases]).T
    rows, value = columns[:2]
    far = np.zeros(len(cases), np.bool_)
    if measure.shares:
        table = share_steps(share_terms(known, rows), value)
    else:
        table, far = mean_steps(mean_terms(known, rows), known, columns)
        assert 0 < far.sum() < len(cases) / 2
    for at, (content, each) in enumerate(cases):
        if not far[at]:
            assert tuple(table[:, at].tolist()) == numbers(measure.against(each, content)), (at, each)
