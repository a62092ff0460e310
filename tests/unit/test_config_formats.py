"""Formats, envelopes and the schema registry in a config."""

import dataclasses
from pathlib import Path

import pytest

from streamcheck.cli.memory import memory
from streamcheck.config.explain import explain
from streamcheck.config.load import Loaded, load, loads
from streamcheck.core.plan import Encoding, Envelope, Format
from streamcheck.core.saving import meaning
from streamcheck.errors import ConfigError

TEXT = """version: 1
name: t
{top}
streams:
  predictions:
    topic: p
    {stream}
    features: {{amount: numeric}}
    segments: [$headers.region, $event.op]
"""
REGISTRY = 'schema_registry: {url: "https://r.example:8081", username: me, password: "${SECRET}"}'


def made(stream: str, top: str = "") -> Loaded:
    return loads(TEXT.format(stream=stream, top=top), {"SECRET": "hush"})


def mistakes(stream: str, top: str = "") -> list[str]:
    with pytest.raises(ConfigError) as raised:
        made(stream, top)
    return [str(mistake) for mistake in raised.value.mistakes]


def paths(loaded: Loaded) -> dict[str, tuple[str, ...]]:
    return {column.name: column.path for column in loaded.plan.predictions.columns}


@pytest.mark.parametrize(
    ("stream", "amount", "op"),
    [
        ("id: $key", ("amount",), ("op",)),
        ("envelope: cloudevents", ("data", "amount"), ("op",)),
        ("envelope: cloudevents_binary", ("amount",), ("op",)),
        ("envelope: debezium", ("after", "amount"), ("op",)),
    ],
)
def test_where_paths_lead(stream: str, amount: tuple[str, ...], op: tuple[str, ...]) -> None:
    assert paths(made(stream)) == {"amount": amount, "$headers.region": ("$headers", "region"), "$event.op": op}


def test_a_cloud_event_has_an_id_and_a_time_of_its_own() -> None:
    plan = made("envelope: cloudevents").plan.predictions
    assert (plan.id_path, plan.time and plan.time.path) == (("id",), ("time",))
    plan = made("envelope: cloudevents_binary").plan.predictions
    assert (plan.id_path, plan.time and plan.time.path) == (("$headers", "ce_id"), ("$headers", "ce_time"))


def test_formats() -> None:
    assert made("id: x").plan.predictions.encoding == Encoding()
    assert made("format: avro", REGISTRY).plan.predictions.encoding == Encoding(Format.AVRO)
    found = made("format: protobuf\n    envelope: debezium", REGISTRY).plan.predictions.encoding
    assert found == Encoding(Format.PROTOBUF, Envelope.DEBEZIUM)


def test_the_registry_keeps_its_secret() -> None:
    loaded = made("format: avro", REGISTRY)
    registry = loaded.settings.registry
    assert registry is not None
    assert (registry.url, registry.username, registry.password) == ("https://r.example:8081", "me", "hush")
    assert "hush" not in repr(loaded.settings)
    assert not [warning for warning in loaded.warnings if "registry" in warning.path]


def test_schemas_in_files(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    (tmp_path / "p.avsc").write_text('{"type": "record", "name": "P", "fields": []}')
    config.write_text(TEXT.format(stream="format: {avro: {schema: p.avsc}}", top=""))
    encoding = load(config, {}).plan.predictions.encoding
    assert encoding == Encoding(Format.AVRO, schema=(tmp_path / "p.avsc").read_bytes())
    (tmp_path / "p.desc").write_bytes(b"\1\2")
    config.write_text(TEXT.format(stream="format: {protobuf: {descriptor: p.desc, message: a.B}}", top=""))
    assert load(config, {}).plan.predictions.encoding == Encoding(Format.PROTOBUF, None, b"\1\2", "a.B")


FORMAT = (
    "line 7: streams.predictions.format: expected json, json_schema, avro, protobuf, {avro: {schema: FILE}} or "
    "{protobuf: {descriptor: FILE, message: NAME}}, got "
)


@pytest.mark.parametrize(
    ("stream", "top", "wanted"),
    [
        ("format: avros", "", FORMAT + "'avros' (did you mean 'avro'?)"),
        ("format: {avro: {schem: x}}", "", FORMAT + "a mapping with avro"),
        ("format: {json: {}}", "", FORMAT + "a mapping with json"),
        ("format: {protobuf: {descriptor: x}}", "", FORMAT + "a mapping with protobuf"),
        (
            "format: avro",
            "",
            (
                "line 7: streams.predictions.format: avro needs schema_registry: {url: http://HOST:8081}, or a file "
                "in the format's place"
            ),
        ),
        (
            "format: {avro: {schema: nowhere.avsc}}",
            "",
            "line 7: streams.predictions.format.avro.schema: 'nowhere.avsc': cannot be read: No such file or directory",
        ),
        (
            "envelope: cloudevent",
            "",
            ("line 7: streams.predictions.envelope: expected cloudevents, cloudevents_binary or debezium, got "
            "'cloudevent' (did you mean 'cloudevents'?)"),
        ),
        (
            "{format: avro, envelope: cloudevents}",
            REGISTRY,
            ("line 7: streams.predictions.envelope: a structured CloudEvent is JSON as a whole; with a schema, the "
            "attributes are in headers: envelope: cloudevents_binary"),
        ),
        (
            "id: $headers",
            "",
            ("line 7: streams.predictions.id: expected the name of a field, with dots for nested ones, such as "
            "model.version; or $key, $headers.NAME, $event.FIELD, got '$headers'"),
        ),
        (
            "format: avro",
            "schema_registry: {url: nowhere}",
            "line 3: schema_registry.url: expected an address such as https://host/path, got 'nowhere'",
        ),
        (
            "format: avro",
            "schema_registry: {url: http://h, username: x}",
            "line 3: schema_registry: expected username and password together",
        ),
        (
            "format: avro",
            'schema_registry: {url: "http://me:hush@h"}',
            "line 3: schema_registry.url: a password in an address is shown with it; write username and password",
        ),
        (
            "format: avro",
            "schema_registry: {url: http://h, ca_file: x}",
            "line 3: schema_registry.ca_file: has no effect without TLS; write url: https://…",
        ),
    ],
)
def test_one_mistake_one_line(stream: str, top: str, wanted: str) -> None:
    inner = stream[1:-1].replace(", ", "\n    ") if stream.startswith("{format") else stream
    found = mistakes(inner, top)
    assert [each.replace("line 8", "line 7") for each in found] == [wanted]


def test_what_is_doubtful() -> None:
    open_ = 'schema_registry: {url: "http://r.example", username: me, password: x}'
    said = {warning.path: warning.message for warning in made("format: avro", open_).warnings}
    assert said["schema_registry.url"] == "the password travels in the open; use https"
    said = {warning.path: warning.message for warning in made("id: x", "schema_registry: {url: http://r}").warnings}
    assert said["schema_registry"].startswith("no stream needs it")


def test_a_state_is_of_its_format() -> None:
    """And the states of before there were formats are those of plain JSON."""
    plain, debezium = made("id: x").plan, made("id: x\n    envelope: debezium").plan
    assert meaning(plain) != meaning(debezium)
    as_avro = dataclasses.replace(plain.predictions, encoding=Encoding(Format.AVRO))
    assert meaning(dataclasses.replace(plain, predictions=as_avro)) != meaning(plain)
    assert "encoding" not in repr(plain.predictions)


def test_memory_is_counted_for_schemas() -> None:
    loaded = made("format: avro", REGISTRY + "\nworkers: 2")
    parts = {part.name: part.bytes for part in memory(loaded.plan, loaded.settings).parts}
    assert parts["events by schemas"] == 2 * ((64 << 20) + 250 * ((192 << 10) + (1 << 20)))
    plain = made("id: x")
    assert "events by schemas" not in {part.name for part in memory(plain.plan, plain.settings).parts}


def test_explain_says_the_form() -> None:
    facts = dict(explain(made("format: avro\n    envelope: debezium", REGISTRY)).facts)
    assert facts["predictions"].endswith(", avro by the registry's schemas, in debezium envelopes")
    assert dict(explain(made("id: x")).facts)["predictions"].endswith("the record timestamp")
