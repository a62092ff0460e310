"""What owner and worker say to one another through their socket. Records and columns lie in shared memory."""

import socket
import struct
from typing import TypeVar

import msgspec

from streamcheck.config.settings import SchemaRegistry
from streamcheck.core.plan import Schema, Task
from streamcheck.runtime.ports import Section, Taken

SLOTS = 8
"""Parts that a worker may have, so that it goes on while the owner closes a pane: some 25,000 events ahead."""

_LENGTH = struct.Struct("<I")
_Message = TypeVar("_Message", bound=msgspec.Struct)


class Hello(msgspec.Struct, frozen=True):
    """The owner's first message: what to decode by."""

    schemas: tuple[Schema, ...]
    task: Task | None
    registry: SchemaRegistry | None = None


class Part(msgspec.Struct, frozen=True, tag=True):
    """Records to decode. In the slot's input of `size` bytes: timestamps, (records,) int64; of the values, then of keys
    and headers where they are wanted (else None), begins and ends, (records,) int64, and so many bytes in which they
    lie.
    """

    slot: int
    size: int
    schema: int
    records: int
    encoded: bool
    values: int | None
    keys: int | None
    headers: int | None


class Read(msgspec.Struct, frozen=True, tag=True):
    """The next turn at a section, to read and decode."""

    slot: int
    schema: int
    number: int
    section: Section


class Done(msgspec.Struct, frozen=True):
    """Their columns. In the slot's output of `size` bytes, for rows, then rejects: positions of both, and the columns.

    reasons: of the rejects. dictionaries: of each coded column a number that changes when it begins anew, and the
    categories that are new since the worker last spoke. taken: what has come of a turn at a section; failure: why it
    cannot be read; passing: whether that passes.
    """

    slot: int
    size: int
    rows: int
    reasons: tuple[str, ...]
    dictionaries: tuple[tuple[int, tuple[str, ...]], ...]
    taken: Taken | None = None
    failure: str | None = None
    passing: bool = False


def send(channel: socket.socket, message: msgspec.Struct) -> None:
    """Send one message. Raises OSError where nobody is there any more."""
    body = msgspec.msgpack.encode(message)
    channel.sendall(_LENGTH.pack(len(body)) + body)


def receive(channel: socket.socket, kind: type[_Message]) -> _Message | None:
    """The next message; None where the other end has gone."""
    body = _body(channel)
    return None if body is None else msgspec.msgpack.decode(body, type=kind)


def receive_work(channel: socket.socket) -> Part | Read | None:
    """What is to be done next; None where the other end has gone."""
    body = _body(channel)
    return None if body is None else _decode_work(body)


_decode_work = msgspec.msgpack.Decoder(Part | Read).decode


def _body(channel: socket.socket) -> bytes | None:
    head = _exactly(channel, _LENGTH.size)
    return None if head is None else _exactly(channel, _LENGTH.unpack(head)[0])


def _exactly(channel: socket.socket, length: int) -> bytes | None:
    found = bytearray(length)
    view, at = memoryview(found), 0
    while at < length:
        try:
            got = channel.recv_into(view[at:])
        except ConnectionError:
            return None
        if not got:
            return None
        at += got
    return bytes(found)
