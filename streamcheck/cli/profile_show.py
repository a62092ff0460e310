"""Profiles for people and for programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import click

from streamcheck.cli.output import show_json, show_table
from streamcheck.config.values import duration_text
from streamcheck.core.profile_drift import Drift
from streamcheck.core.profiles import Label, Profile
from streamcheck.core.wording import counted, moment, number


def told(profile: Profile) -> str:
    """One line: what it holds."""
    rows = counted(profile.rows, "row")
    columns = counted(len({key.column for key in profile.contents}), "column")
    segments = counted(len({key.segment for key in profile.contents if key.segment}), "segment")
    when = f"{moment(profile.from_ms)} to {moment(profile.to_ms)}"
    panes = duration_text(profile.pane_ms)
    rows = f"training data, {rows}" if profile.training else rows
    return f"{rows} of {profile.name} from {when} in panes of {panes}: {columns}, {segments} (digest {profile.digest})"


def show_profile(profile: Profile, *, as_json: bool) -> None:
    """What is in it: for each column and measure, how many panes, and for how many segments."""
    held: dict[tuple[str, str, str], Counter[str]] = {}
    for key, content in profile.contents.items():
        count = held.setdefault((key.column, key.measure, "*".join(key.by) or "all"), Counter())
        count.update(panes=content.panes, segments=1)
    rows = [
        (column, profile.kinds.get(column, "–"), measure, by, f"{count['segments']:,}", f"{count['panes']:,}")
        for (column, measure, by), count in sorted(held.items())
    ]
    heads = ("column", "kind", "measure", "by", "segments", "panes or blocks")
    if as_json:
        show_json([dict(zip(heads, row, strict=True)) for row in rows])
        return
    click.echo(told(profile))
    show_table("What it holds", heads, rows)


def show_drift(found: Sequence[Drift], *, as_json: bool) -> None:
    """A table, or a list for programs."""
    if as_json:
        show_json([{**asdict(each), "segment": dict(each.segment)} for each in found])
        return
    rows = [
        (
            each.column,
            _segment(each.segment),
            each.measure,
            number(each.first),
            number(each.second),
            number(each.shift),
            each.word if each.only is None else f"only in the {'first' if each.only == 1 else 'second'}",
        )
        for each in found
    ]
    show_table("Drift", ("column", "segment", "measure", "first", "second", "shift", "drift"), rows)


def _segment(label: Label) -> str:
    return ", ".join(f"{field}={value}" for field, value in label) or "all"
