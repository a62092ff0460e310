"""Headers of records: as a record has them, a number and then each, and as clients take them."""

from collections.abc import Iterable, Sequence
from typing import overload

from streamcheck.adapters.kafka.codecs import MalformedBatch
from streamcheck.core.pieces import Pieces

HEADERS_MAX = 256
"""Of one record, that are taken apart."""
_VARINT_BITS_MAX = 35


class Unwritten(Sequence[bytes | None]):
    r"""Headers of records that a client has taken apart; each is written as a record has it when somebody asks for it.

    >>> list(Unwritten([None, [("trace", b"1")]]))
    [b'\x00', b'\x02\ntrace\x021']
    """

    __slots__ = ("found",)

    def __init__(self, found: Sequence[Sequence[tuple[str, bytes | None]] | None]) -> None:
        self.found = found

    @classmethod
    def together(cls, parts: "Sequence[Headers]") -> "Headers":
        """The headers of all parts, of which there is one at least."""
        alike = [part.found for part in parts if isinstance(part, cls)]
        if len(alike) == len(parts):
            return parts[0] if len(parts) == 1 else cls([each for part in alike for each in part])
        return Pieces.together([Pieces.of(part) for part in parts])

    @property
    def size(self) -> int:
        """Bytes of them."""
        return sum(len(name) + len(value or b"") for each in filter(None, self.found) for name, value in each)

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> "Unwritten": ...
    def __getitem__(self, at: int | slice) -> "bytes | Unwritten":
        return Unwritten(self.found[at]) if isinstance(at, slice) else _written(self.found[at] or ())


Headers = Pieces | Unwritten


def headings(headers: Iterable[Sequence[tuple[str, bytes | None]] | None]) -> Pieces:
    """Headers of records as they would be written, for clients that have taken them apart."""
    return Pieces.of(list(Unwritten(list(headers))))


def _written(headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    parts = [_varint(len(headers))]
    for name, value in headers:
        key = name.encode("utf-8", "surrogateescape")
        parts += [_varint(len(key)), key, _varint(-1 if value is None else len(value)), value or b""]
    return b"".join(parts)


def _varint(value: int) -> bytes:
    r"""Zigzag.

    >>> _varint(-1), _varint(1), _varint(300)
    (b'\x01', b'\x02', b'\xd8\x04')
    """
    left, found = value << 1 if value >= 0 else (-value << 1) - 1, bytearray()
    while left > 0x7F:
        found.append(left & 0x7F | 0x80)
        left >>= 7
    found.append(left)
    return bytes(found)


def headers_of(written: bytes, most: int = HEADERS_MAX) -> list[tuple[str, bytes | None]]:
    r"""Headers of one record, taken apart. Raises MalformedBatch where they are none, or more than `most`.

    >>> headers_of(_written([("trace", b"1"), ("empty", None)]), 9)
    [('trace', b'1'), ('empty', None)]
    """
    found: list[tuple[str, bytes | None]] = []
    try:
        count, at = _number(written, 0)
        if not 0 <= count <= most:
            raise MalformedBatch
        for _ in range(count):
            length, at = _number(written, at)
            name, at = _piece(written, at, length)
            length, at = _number(written, at)
            value: bytes | None = None
            if length != -1:
                value, at = _piece(written, at, length)
            found.append((name.decode(), value))
    except (IndexError, UnicodeDecodeError) as error:
        raise MalformedBatch from error
    if at != len(written):
        raise MalformedBatch
    return found


def _number(written: bytes, at: int) -> tuple[int, int]:
    """The zigzag varint here, and where it ends."""
    value = 0
    for shift in range(0, _VARINT_BITS_MAX, 7):
        octet = written[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value >> 1 ^ -(value & 1), at
    raise MalformedBatch


def _piece(written: bytes, at: int, length: int) -> tuple[bytes, int]:
    if not 0 <= length <= len(written) - at:
        raise MalformedBatch
    return written[at : at + length], at + length
