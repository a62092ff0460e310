"""What people are told, of which incidents, how often, and what silences keep back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
import pytest

from streamcheck.errors import StateError
from streamcheck.runtime.notices import (
    KEPT_MAX,
    Heard,
    IncidentPost,
    Notice,
    NotTold,
    Route,
    Silence,
    Silences,
    notices,
)
from streamcheck.runtime.telemetry import AlertBook, segment_text


def record(
    sequence: int, alert: str, state: str = "firing", incident: str = "i1", severity: str = "page", owner: str = "risk"
) -> bytes:
    return orjson.dumps(
        {"id": alert, "incident": incident, "sequence": sequence, "state": state, "monitor": f"m-{alert}",
         "severity": severity, "owner": owner, "segment": {"tier": "premium"}, "column": "amount",
         "summary": f"{alert} {state}"}
    )  # fmt: skip


def book(*records: bytes) -> AlertBook:
    return AlertBook().after(records)


@dataclass
class Told:
    """A messenger that remembers, and fails when told to."""

    said: list[tuple[str, str, int, str | None]] = field(default_factory=list)
    fails: int = 0

    def tell(self, notice: Notice, before: str | None) -> str:
        if self.fails:
            self.fails -= 1
            raise NotTold("nobody there")
        self.said.append((notice.incident, notice.state, len(notice.firing), before))
        return before or f"ref-{notice.incident}"


@dataclass
class Notebook:
    content: bytes | None = None

    def load(self) -> bytes | None:
        return self.content

    def save(self, content: bytes) -> None:
        self.content = content


def heard(*records: bytes, silences: Sequence[Silence] = (), now_ms: int = 0) -> Heard:
    return Silences(lambda: silences, segment_text).heard(book(*records), "shop", now_ms)


FIRST, SECOND = record(1, "a"), record(2, "b")
OVER = (record(3, "a", "resolved"), record(4, "b", "resolved"))


def test_alerts_of_one_incident_are_one_notice() -> None:
    found = notices(book(FIRST, SECOND, record(3, "c", incident="i2"), record(4, "d", "pending", "i3")), "shop")
    assert [(notice.incident, [alert.id for alert in notice.alerts]) for notice in found] == [
        ("i1", ["a", "b"]),
        ("i2", ["c"]),
    ]
    assert found[0].headline == "a firing (and 1 more)"
    assert found[0].document()["owners"] == ["risk"]


def test_an_incident_is_told_once_and_again_when_it_changes() -> None:
    told, post = Told(), None
    post = IncidentPost(Route("r", wait_s=10), told, Notebook())
    for now_s, records in ((0, [FIRST]), (5, [FIRST, SECOND]), (11, [FIRST, SECOND]), (12, [FIRST, SECOND])):
        post.turn(heard(*records), now_s)
    assert told.said == [("i1", "firing", 2, None)], "the second alert came while the first was waited for"
    post.turn(heard(FIRST, SECOND, *OVER), 20)
    post.turn(heard(FIRST, SECOND, *OVER), 21)
    assert told.said[1:] == [("i1", "resolved", 0, "ref-i1")]
    assert post.status.sent == 2


def test_an_alert_that_becomes_more_urgent_is_told_again_by_the_way_of_its_new_severity() -> None:
    slack, pager = Told(), Told()
    ways = [IncidentPost(Route("slack", wait_s=0), slack, Notebook())]
    ways.append(IncidentPost(Route("pager", ("page",), wait_s=0), pager, Notebook()))
    warning = record(1, "a", severity="warning")
    risen = orjson.loads(record(2, "a", severity="page"))
    risen["evidence"] = {"escalated": {"from": "warning", "fired_at": "2026-03-01T10:00:00.000Z", "after_s": 1800.0}}
    for now_s, records in ((0, [warning]), (5, [warning]), (1_800, [warning, orjson.dumps(risen)]), (1_900, [])):
        for way in ways:
            way.turn(heard(*records), now_s)
    assert slack.said == [("i1", "firing", 1, None), ("i1", "firing", 1, "ref-i1")]
    assert pager.said == [("i1", "firing", 1, None)]
    (notice,) = heard(warning, orjson.dumps(risen)).notices
    assert notice.alerts[0].fired_at == "2026-03-01T10:00:00.000Z"


def test_an_alert_that_comes_later_changes_the_message() -> None:
    told = Told()
    post = IncidentPost(Route("r", wait_s=10), told, Notebook())
    for now_s, records in (
        (0, [FIRST]),
        (10, [FIRST]),
        (20, [FIRST, SECOND]),
        (25, [FIRST, SECOND]),
        (30, [FIRST, SECOND]),
    ):
        post.turn(heard(*records), now_s)
    assert told.said == [("i1", "firing", 1, None), ("i1", "firing", 2, "ref-i1")]


def test_an_incident_that_is_over_before_anybody_was_told_is_none() -> None:
    told = Told()
    post = IncidentPost(Route("r", wait_s=10), told, Notebook())
    post.turn(heard(FIRST), 0)
    post.turn(heard(FIRST, record(2, "a", "resolved")), 30)
    assert told.said == []


def test_a_restart_tells_nothing_twice_and_goes_on_with_its_message() -> None:
    told, notebook = Told(), Notebook()
    IncidentPost(Route("r", wait_s=0), told, notebook).turn(heard(FIRST), 0)
    again = IncidentPost(Route("r", wait_s=0), told, notebook)
    again.turn(heard(FIRST), 0)
    again.turn(heard(FIRST, record(2, "a", "resolved")), 1)
    assert told.said == [("i1", "firing", 1, None), ("i1", "resolved", 0, "ref-i1")]


def test_what_does_not_arrive_is_tried_again_later_each_time() -> None:
    told = Told(fails=3)
    post = IncidentPost(Route("r", wait_s=0), told, Notebook())
    tried = []
    for second in range(20):
        before = post.status.failed + post.status.sent
        post.turn(heard(FIRST), second)
        if post.status.failed + post.status.sent > before:
            tried.append(second)
    assert tried == [0, 1, 3, 7]
    assert (post.status.failed, post.status.sent, post.status.trouble) == (3, 1, "")


def test_routes_take_what_is_theirs() -> None:
    other = record(2, "b", incident="i2", severity="info", owner="web")
    for route, wanted in (
        (Route("r", severities=("page",), wait_s=0), ["i1"]),
        (Route("r", owners=("web",), wait_s=0), ["i2"]),
        (Route("r", severities=("page",), owners=("web",), wait_s=0), []),
        (Route("r", wait_s=0), ["i1", "i2"]),
    ):
        told = Told()
        IncidentPost(route, told, Notebook()).turn(heard(FIRST, other), 0)
        assert [said[0] for said in told.said] == wanted


def test_resolved_can_be_left_unsaid() -> None:
    told = Told()
    post = IncidentPost(Route("r", wait_s=0, resolved=False), told, Notebook())
    post.turn(heard(FIRST), 0)
    post.turn(heard(FIRST, record(2, "a", "resolved")), 1)
    assert [said[1] for said in told.said] == ["firing"]


def silence(**named: str) -> Silence:
    return Silence("s", 1_000, "me", "known", **named)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("held", "kept"),
    [
        (silence(monitor="m-a"), ["b"]),
        (silence(segment="tier=premium"), []),
        (silence(segment="tier=general"), ["a", "b"]),
        (silence(severity="page", monitor="m-b"), ["a"]),
        (silence(incident="i1"), []),
        (silence(), []),
    ],
)
def test_silences_cover_what_they_name(held: Silence, kept: list[str]) -> None:
    found = heard(FIRST, SECOND, silences=[held], now_ms=999)
    assert sorted(alert.id for alert in found.firing) == kept
    assert [alert.id for notice in found.notices for alert in notice.alerts] == kept
    assert len(heard(FIRST, SECOND, silences=[held], now_ms=1_000).firing) == 2, "it is over"


def test_silences_that_cannot_be_read_silence_nothing() -> None:
    def broken() -> Sequence[Silence]:
        raise StateError("not silences")

    found = Silences(broken, segment_text).heard(book(FIRST), "shop", 0)
    assert (len(found.firing), found.trouble) == (1, "not silences")


def test_what_is_remembered_is_bounded() -> None:
    told, notebook = Told(), Notebook()
    post = IncidentPost(Route("r", wait_s=0), told, notebook)
    for n in range(KEPT_MAX + 20):
        post.turn(heard(record(n + 1, f"a{n}", incident=f"i{n}")), n)
    assert notebook.content is not None
    assert len(notebook.content) < 100 * KEPT_MAX
