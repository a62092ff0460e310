"""In which form do events lie in the topics: by which schemas, of a registry or of files beside the config?"""

import ipaddress
import json
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from streamcheck.config.document import Findings, Path
from streamcheck.config.formats import FormatChoice
from streamcheck.config.streams import Kpi, Labels, Predictions, Shadow
from streamcheck.config.wording import Usable
from streamcheck.core.plan import KEY, Encoding, Envelope, Format, Plan

SCHEMA_BYTES_MAX = 4 << 20
JSON_FORMATS = (Format.JSON, Format.JSON_SCHEMA)
ROLES = ("predictions", "labels", "kpi", "shadow")


def read_encodings(usable: Usable, findings: Findings, folder: FilePath) -> dict[str, Encoding]:
    """The encoding of each stream, by role; what is wrong with it or with its file goes to `findings`."""
    found = {}
    for role in ROLES:
        stream: Predictions | Labels | Kpi | Shadow | None = getattr(usable.config.streams, role)
        if stream is None:
            continue
        here: Path = ("streams", role)
        chosen = stream.format or FormatChoice(Format.JSON)
        envelope = Envelope(stream.envelope) if stream.envelope else None
        schema = _read((*here, "format"), chosen, findings, folder) if chosen.file is not None else None
        key = None if isinstance(stream, Kpi) else _key((*here, "key_format"), stream.key_format, findings, folder)
        found[role] = Encoding(chosen.format, envelope, schema, chosen.message, key)
        if envelope is Envelope.CLOUDEVENTS and chosen.format not in JSON_FORMATS:
            hint = "is JSON as a whole; with a schema, the attributes are in headers: envelope: cloudevents_binary"
            findings.mistake((*here, "envelope"), f"a structured CloudEvent {hint}")
    _check_registry(usable, found, findings)
    return found


def _key(here: Path, chosen: FormatChoice | None, findings: Findings, folder: FilePath) -> Encoding | None:
    """How keys are written; None where they are text or JSON, which needs no word."""
    if chosen is None or chosen.format is Format.JSON:
        return None
    schema = _read(here, chosen, findings, folder) if chosen.file is not None else None
    return Encoding(chosen.format, None, schema, chosen.message)


def check_keys(plan: Plan, findings: Findings) -> None:
    """Whether what is said of keys meets what is asked of them."""
    for schema in plan.schemas:
        key, here = schema.encoding.key, ("streams", str(schema.role), "key_format")
        if key is not None and not schema.wants_keys:
            findings.warning(here, "nothing reads the keys: no path begins with $key")
        if key is not None and key.format is Format.PROTOBUF and (KEY,) in schema.paths:
            findings.mistake(here, "$key is a message then, which is no value: name a field of it, such as $key.id")


def _check_registry(usable: Usable, found: dict[str, Encoding], findings: Findings) -> None:
    section = usable.config.schema_registry
    asking = [role for role in ROLES if role in found and found[role].by_registry and not _has_file(usable, role)]
    keys = [(role, key) for role in ROLES if role in found and (key := found[role].key) is not None and key.by_registry]
    keys = [(role, key) for role, key in keys if getattr(usable.config.streams, role).key_format.file is None]
    if section is None:
        for role in asking if usable.sure("schema_registry") else ():
            name = found[role].format
            hint = "a file in the format's place" if name is Format.AVRO else "a descriptor and message in its place"
            findings.mistake(
                ("streams", role, "format"), f"{name} needs schema_registry: {{url: http://HOST:8081}}, or {hint}"
            )
        for role, key in keys if usable.sure("schema_registry") else ():
            findings.mistake(
                ("streams", role, "key_format"),
                f"{key.format} needs schema_registry: {{url: http://HOST:8081}}, or a file in the format's place",
            )
        return
    here: Path = ("schema_registry",)
    if not asking and not keys and usable.sure("streams"):
        findings.warning(here, "no stream needs it: only avro and protobuf without a file of their own do")
    if (section.username is None) != (section.password is None) and usable.sure(*here):
        findings.mistake(here, "expected username and password together")
    parts = urlsplit(section.url)
    if parts.username is not None or parts.password is not None:
        findings.mistake((*here, "url"), "a password in an address is shown with it; write username and password")
    elif section.password is not None and parts.scheme == "http" and not _loopback(parts.hostname or ""):
        findings.warning((*here, "url"), "the password travels in the open; use https")
    if section.ca_file is not None and parts.scheme == "http":
        findings.mistake((*here, "ca_file"), "has no effect without TLS; write url: https://…")


def _has_file(usable: Usable, role: str) -> bool:
    stream: Predictions | Labels | Kpi | Shadow = getattr(usable.config.streams, role)
    return stream.format is not None and stream.format.file is not None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(here: Path, chosen: FormatChoice, findings: Findings, folder: FilePath) -> bytes | None:
    """A schema's file; None where it cannot be used."""
    assert chosen.file is not None
    key = "schema" if chosen.format is Format.AVRO else "descriptor"
    place = findings.document.known_part((*here, chosen.format, key))
    shown = findings.document.shown(place)
    try:
        with (folder / chosen.file).open("rb") as file:
            content = file.read(SCHEMA_BYTES_MAX + 1)
    except OSError as error:
        findings.mistake(place, f"{shown}: cannot be read: {error.strerror or type(error).__name__}")
        return None
    if len(content) > SCHEMA_BYTES_MAX:
        findings.mistake(place, f"{shown}: larger than {SCHEMA_BYTES_MAX >> 20} MiB")
        return None
    if chosen.format is Format.AVRO and not _is_json(content):
        findings.mistake(place, f"{shown}: no Avro schema, which is JSON")
        return None
    return content


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True
