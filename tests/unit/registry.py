"""A schema registry on this machine that speaks Confluent's REST interface, and schemas to put into it."""

import base64
import io
import json
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import fastavro
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

Reference = tuple[str, str, int]
"""Name, subject, version."""


@dataclass
class Registry:
    """schemas: by number: kind, content, references. trouble: what to do before an answer, a status or None."""

    url: str
    schemas: dict[int, tuple[str, str, tuple[Reference, ...]]] = field(default_factory=dict)
    subjects: dict[tuple[str, int], int] = field(default_factory=dict)
    login: str | None = None
    trouble: Callable[[int], int | None] = lambda _: None
    asked: list[str] = field(default_factory=list)

    def add(self, kind: str, content: object, references: tuple[Reference, ...] = (), subject: str = "s") -> int:
        """Take a schema in. Returns its number."""
        number = len(self.schemas) + 1
        text = content if isinstance(content, str) else json.dumps(content)
        self.schemas[number] = (kind, text, references)
        self.subjects[subject, sum(s == subject for s, _ in self.subjects) + 1] = number
        return number

    def answer(self, path: str, authorization: str | None) -> tuple[int, Mapping[str, Any]]:
        """Status and body."""
        self.asked.append(path)
        status = self.trouble(len(self.asked))
        if status is not None:
            return status, {"error_code": status, "message": "trouble"}
        if self.login is not None and authorization != f"Basic {base64.b64encode(self.login.encode()).decode()}":
            return 401, {"error_code": 401, "message": "Unauthorized"}
        plain, _, query = path.partition("?")
        parts = [unquote(part) for part in plain.strip("/").split("/")]
        number = int(parts[2]) if parts[0] == "schemas" else self.subjects.get((parts[1], int(parts[3])), 0)
        if number not in self.schemas:
            return 404, {"error_code": 40403, "message": "Schema not found"}
        kind, text, references = self.schemas[number]
        body: dict[str, Any] = {"schema": text if kind != "PROTOBUF" or "serialized" in query else "syntax…"}
        if kind != "AVRO":
            body["schemaType"] = kind
        if references:
            body["references"] = [dict(zip(("name", "subject", "version"), each, strict=True)) for each in references]
        return 200, body


@contextmanager
def serving() -> Iterator[Registry]:
    """One that runs for as long as this lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = registry.answer(self.path, self.headers["Authorization"])
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(ConnectionError):  # whoever asked has given up
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry = Registry(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def prefixed(number: int, payload: bytes) -> bytes:
    """A record as a registry's serializer writes it."""
    return struct.pack(">bI", 0, number) + payload


AVRO: dict[str, Any] = {
    "type": "record",
    "name": "Prediction",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "amount", "type": ["null", "double"]},
        {"name": "tier", "type": {"type": "enum", "name": "Tier", "symbols": ["gold", "basic"]}},
        {
            "name": "model",
            "type": {"type": "record", "name": "Model", "fields": [{"name": "version", "type": "string"}]},
        },
    ],
}


def avro(schema: Mapping[str, Any], event: Mapping[str, Any], named: Mapping[str, Any] | None = None) -> bytes:
    """An event in Avro."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(
        stream, fastavro.parse_schema(dict(schema), named_schemas=dict(named or {})), dict(event)
    )
    return stream.getvalue()


def proto_file(name: str = "shop.proto") -> descriptor_pb2.FileDescriptorProto:
    """What protoc makes of a file with a message Other, and Prediction with a message Inner inside."""
    file = descriptor_pb2.FileDescriptorProto(name=name, package="shop", syntax="proto3")
    file.dependency.extend(["google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto",
                            "google/protobuf/struct.proto"])  # fmt: skip
    enum = file.enum_type.add(name="Tier")
    enum.value.add(name="BASIC", number=0)
    enum.value.add(name="GOLD", number=1)
    file.message_type.add(name="Other").field.add(name="x", number=1, type=Field.TYPE_INT32, label=1)
    top = file.message_type.add(name="Prediction")
    plain = (("id", Field.TYPE_STRING), ("amount", Field.TYPE_DOUBLE), ("big", Field.TYPE_INT64),
             ("raw", Field.TYPE_BYTES))  # fmt: skip
    for number, (field_name, kind) in enumerate(plain, 1):
        top.field.add(name=field_name, number=number, type=kind, label=1)
    top.oneof_decl.add(name="_maybe")
    top.field.add(name="maybe", number=5, type=Field.TYPE_DOUBLE, label=1, oneof_index=0, proto3_optional=True)
    top.field.add(name="tier", number=6, type=Field.TYPE_ENUM, type_name=".shop.Tier", label=1)
    kinds = (("at", ".google.protobuf.Timestamp"), ("score", ".google.protobuf.DoubleValue"),
             ("more", ".google.protobuf.Struct"), ("inner", ".shop.Prediction.Inner"))  # fmt: skip
    for number, (field_name, type_name) in enumerate(kinds, 7):
        top.field.add(name=field_name, number=number, type=Field.TYPE_MESSAGE, type_name=type_name, label=1)
    inner = top.nested_type.add(name="Inner")
    inner.field.add(name="version", number=1, type=Field.TYPE_STRING, label=1)
    inner.field.add(name="again", number=2, type=Field.TYPE_MESSAGE, type_name=".shop.Prediction.Inner", label=1)
    top.field.add(name="tags", number=11, type=Field.TYPE_MESSAGE, type_name=".shop.Prediction.TagsEntry", label=3)
    entry = top.nested_type.add(name="TagsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=Field.TYPE_STRING, label=1)
    entry.field.add(name="value", number=2, type=Field.TYPE_INT32, label=1)
    top.field.add(name="list", number=12, type=Field.TYPE_INT32, label=3)
    return file


def serialized(file: descriptor_pb2.FileDescriptorProto) -> str:
    """As a registry hands it out."""
    return base64.b64encode(file.SerializeToString()).decode()


def message(file: descriptor_pb2.FileDescriptorProto, name: str) -> Any:
    """The class of a message."""
    pool = descriptor_pool.DescriptorPool()
    for module in (struct_pb2, timestamp_pb2, wrappers_pb2):
        proto = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(proto)
        pool.Add(proto)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
