"""A profile out of a replay: the config's own monitors, whose references learn from the first pane to the last.

Where bins turn out to be too narrow on the way (sorted rows, a night before a day), what was learned with them is lost:
then all is read once more, with the bins that fit.
"""

import logging
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from streamcheck.cli.backtest_input import open_input
from streamcheck.cli.history_options import History
from streamcheck.cli.progress import ReplayProgress
from streamcheck.cli.replay import Candidate, replay
from streamcheck.config.load import Loaded, load
from streamcheck.core.board import Board
from streamcheck.core.layouts import LAYOUT_ROWS
from streamcheck.core.plan import ComponentSpec, Plan
from streamcheck.core.profile_text import sealed
from streamcheck.core.profiles import Profile, learned
from streamcheck.report.record.rows import RowsInTime

log = logging.getLogger(__name__)

FOR_EVER_MS = 10**15
"""A reference that learns for 30,000 years never freezes, and no monitor of it ever alerts."""
LEARNING = ComponentSpec("first", (("panes_min", 2), ("span_ms", FOR_EVER_MS)))


def made(config: str, history: History, like: Profile | None, *, training: bool = False) -> tuple[Profile, bool]:
    """The profile, and whether all was read. like: gives the bins of numeric columns."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    loaded = load(config, profiles=False)
    loaded = replace(loaded, plan=learning(loaded.plan, like, training=training))
    board, rows, complete = _learnt(config, loaded, history)
    if complete and (wider := board.widened()):
        log.warning("%s: more values than the first %d fit; reading once more", ", ".join(wider), LAYOUT_ROWS)
        bins = Profile(loaded.plan.name, loaded.plan.time.pane_ms, {}, 0, None, None, dict(board.layouts), {}, "bins")
        loaded = replace(loaded, plan=learning(loaded.plan, bins, training=training))
        board, rows, complete = _learnt(config, loaded, history)
    for column in board.unlaid():
        log.warning("%s: fewer than %d values, so it has no bins: no histogram, no shift", column, LAYOUT_ROWS)
    first_ms, last_ms = rows.seen_ms or (None, None)
    plan = loaded.plan
    found = Profile(
        name=plan.name,
        pane_ms=plan.time.pane_ms,
        kinds={column.name: column.kind.value for column in plan.predictions.columns},
        rows=rows.total,
        from_ms=first_ms,
        to_ms=last_ms,
        layouts=dict(board.layouts),
        contents=learned(board.instances()),
        digest="",
        training=training,
    )
    return sealed(found), complete


def _learnt(config: str, loaded: Loaded, history: History) -> tuple[Board, RowsInTime, bool]:
    """What has been learned at the end, which rows counted, and whether all was read."""
    given = open_input(config, loaded, history)
    with closing(ReplayProgress()) as progress:
        done = replay([Candidate(Path(config).stem, "", loaded)], given, history.bounds_ms, None, progress)
    return done.courses[0].engine.board, done.courses[0].rows, done.complete


def learning(plan: Plan, like: Profile | None, *, training: bool = False) -> Plan:
    """The same plan with references that only learn.

    training: the order of rows means nothing (they may be sorted), so there is no change to look for within them, as
    outside the budget.
    """
    monitors = tuple(
        replace(spec, reference=LEARNING, share=0.0 if training else spec.share) for spec in plan.monitors
    )
    return replace(plan, monitors=monitors, profiles={} if like is None else {like.digest: like})
