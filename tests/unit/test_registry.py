"""The schema registry's client, against one on this machine."""

import logging
import threading
from collections.abc import Iterator

import pytest

from streamcheck.adapters.registry import http
from streamcheck.adapters.registry.http import HttpRegistry
from streamcheck.errors import RegistryUnavailable, SourceError
from tests.unit.registry import AVRO, Registry, proto_file, serialized, serving


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as found:
        yield found


def test_schemas_with_all_that_they_refer_to(registry: Registry) -> None:
    registry.add("AVRO", {"type": "int"}, subject="deepest")
    registry.add("AVRO", "middle", (("d", "deepest", 1),), subject="a/b c")
    registry.add("AVRO", "top", (("m", "a/b c", 1), ("d", "deepest", 1)))
    found = HttpRegistry(registry.url).schema(3)
    assert found is not None
    assert (found.kind, found.content) == ("AVRO", b"top")
    assert found.references == (("d", b'{"type": "int"}'), ("m", b"middle"))
    assert registry.asked == ["/schemas/ids/3", "/subjects/a%2Fb%20c/versions/1", "/subjects/deepest/versions/1"]


def test_protobuf_comes_serialized(registry: Registry) -> None:
    file = serialized(proto_file())
    registry.add("PROTOBUF", file, subject="inner")
    registry.add("PROTOBUF", file, (("i.proto", "inner", 1),))
    found = HttpRegistry(registry.url + "/").schema(2)
    assert found is not None
    assert (found.kind, found.content, found.references) == ("PROTOBUF", file.encode(), (("i.proto", file.encode()),))
    assert registry.asked[1:] == ["/schemas/ids/2?format=serialized", "/subjects/inner/versions/1?format=serialized"]


def test_a_registry_that_has_only_the_text_says_what_to_do(registry: Registry) -> None:
    registry.add("PROTOBUF", 'syntax = "proto3";')
    with pytest.raises(SourceError, match="format=serialized"):
        HttpRegistry(registry.url).schema(1)


def test_only_its_own_word_is_no_such_schema(registry: Registry) -> None:
    assert HttpRegistry(registry.url).schema(7) is None
    registry.trouble = lambda _: 404  # somebody's page that is not there
    with pytest.raises(SourceError, match=r"answers 404 Not Found: look at schema_registry\.url"):
        HttpRegistry(registry.url).schema(7)


def test_a_login_is_sent_and_a_refusal_names_no_secret(registry: Registry) -> None:
    registry.login = "me:s3cret"
    registry.add("AVRO", AVRO)
    assert HttpRegistry(registry.url, "me", "s3cret").schema(1) is not None
    with pytest.raises(SourceError, match="401 Unauthorized: look at username and password") as raised:
        HttpRegistry(registry.url, "me", "wr0ng").schema(1)
    assert "wr0ng" not in str(raised.value)


def test_it_is_waited_for_while_it_is_away(registry: Registry, caplog: pytest.LogCaptureFixture) -> None:
    registry.add("AVRO", AVRO)
    registry.trouble = lambda asked: (500, 503, 429, 502)[asked - 1] if asked < 5 else None
    slept: list[float] = []
    with caplog.at_level(logging.INFO):
        assert HttpRegistry(registry.url, sleep=slept.append).schema(1) is not None
    assert slept == [0.1, 0.2, 0.5, 1.0]
    said = [record.message for record in caplog.records]
    assert said == [
        "the schema registry at 127.0.0.1: it answers 500 Internal Server Error (waiting for it; said once)",
        "the schema registry at 127.0.0.1 answers again",
    ]


def test_it_is_not_waited_for_without_end(registry: Registry) -> None:
    registry.trouble = lambda _: 503
    with pytest.raises(RegistryUnavailable, match="no event is rejected for that"):
        HttpRegistry(registry.url, deadline_s=0.0, sleep=lambda _: None).schema(1)


def test_what_cannot_be_reached_or_speaks_otherwise_is_away(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = HttpRegistry("http://127.0.0.1:1", deadline_s=0.0, sleep=lambda _: None)
    with pytest.raises(RegistryUnavailable, match="Connection refused"):
        nowhere.schema(1)
    registry.schemas[1] = ("AVRO", "x" * 5_000, ())
    monkeypatch.setattr(http, "ANSWER_BYTES_MAX", 4_096)
    with pytest.raises(RegistryUnavailable, match="not as a schema registry does"):
        HttpRegistry(registry.url, deadline_s=0.0, sleep=lambda _: None).schema(1)


def test_one_that_is_slow_is_away(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_S_MAX", 0.05)
    registry.add("AVRO", AVRO)
    go_on = threading.Event()
    registry.trouble = lambda asked: None if asked > 1 else (go_on.wait(10), None)[1]
    assert HttpRegistry(registry.url, sleep=lambda _: None).schema(1) is not None
    assert len(registry.asked) >= 2
    go_on.set()


def test_references_without_end_are_refused(registry: Registry) -> None:
    for number in range(250):
        registry.add("AVRO", "x", ((f"n{number + 1}", f"s{number + 1}", 1),), subject=f"s{number}")
    with pytest.raises(SourceError, match="over 200 references"):
        HttpRegistry(registry.url).schema(1)


def test_certificates_that_cannot_be_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SourceError, match=r"schema_registry\.ca_file: .*No such file"):
        HttpRegistry("https://registry", ca_file=str(tmp_path / "none.pem"))
