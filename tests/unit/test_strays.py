"""What goes along with a dead letter: where it came from, why, and the headers that it had."""

from streamcheck.adapters.kafka import strays
from streamcheck.adapters.kafka.headers import HEADERS_MAX, headings
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.ports import StrayRecord


def test_headers_of_a_stray() -> None:
    _, value, headers = strays.encode(StrayRecord(SourcePartition("t", 1), 5, "late", b"k" * 9_000, b"v" * 100), 32_000)
    named = dict(headers)
    assert value == b"v" * 100
    assert (named["reason"], named["source-topic"], named["source-partition"], named["source-offset"]) == (
        b"late", b"t", b"1", b"5",
    )  # fmt: skip
    assert len(named["source-key"]) == strays.KEY_BYTES_MAX


def test_a_stray_keeps_the_headers_that_it_came_with() -> None:
    def sent(headers: bytes | None, bytes_max: int = 1 << 20) -> list[tuple[str, bytes]]:
        record = StrayRecord(SourcePartition("t", 1), 5, "not JSON", b"k", b"v", headers)
        return strays.encode(record, bytes_max)[2]

    (written,) = headings([[("trace", b"1"), ("große", b"\xff"), ("gone", None), ("reason", b"theirs")]])
    assert written is not None
    found = sent(written)
    assert found[:4] == [("trace", b"1"), ("große", b"\xff"), ("gone", b""), ("reason", b"theirs")]
    assert dict(found)["reason"] == b"not JSON", "of several of one name the last one counts"
    bare = sent(None)
    assert found[4:] == bare == sent(b"\0")
    assert sent(b"\x02\x04a")[0] == (strays.LEFT_BEHIND, b"malformed")
    assert sent(written, 100)[0] == (strays.LEFT_BEHIND, b"%d bytes" % len(written))
    (many,) = headings([[("h", b"")] * (HEADERS_MAX + 1)])
    assert sent(many)[0] == (strays.LEFT_BEHIND, b"malformed")
