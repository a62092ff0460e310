"""How much memory is left for what monitors keep? One account for a whole config, charged by content.

What is charged are constants and lengths of texts, never what an allocator says, and in canonical order: so that the
same thing is refused in every run, whatever was batched, interleaved or restarted. The constants are upper bounds of
what CPython takes (tests/unit/test_room.py measures them).
"""

NAME_BYTES = 150
"""A category's name beside its characters, with its count and its place in a table."""
WIDE = 4
"""Bytes of a character of a text that is not plain ASCII, at most."""


class Room:
    """Bytes taken so far, and at most. refused: how often something found no room."""

    __slots__ = ("bytes_max", "refused", "used")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.used = 0
        self.refused = 0

    def take(self, size: int, beside: int = 0) -> bool:
        """Whether there is room for so many bytes, which are taken then. beside: bytes that are asked for right after.

        >>> Room(100).take(60, beside=50)
        False
        """
        if self.used + size + beside > self.bytes_max:
            self.refused += 1
            return False
        self.used += size
        return True

    def take_some(self, wanted: int, size: int) -> int:
        """For how many of `wanted` pieces of this size there is room; they are taken.

        >>> Room(100).take_some(7, 30)
        3
        """
        granted = max(0, min(wanted, (self.bytes_max - self.used) // size))
        self.refused += granted < wanted
        self.used += granted * size
        return granted

    def force(self, size: int) -> None:
        """Bytes that are there already, as in a state that is restored."""
        self.used += size

    def give(self, size: int) -> None:
        """Bytes that are free again."""
        self.used -= size
        assert self.used >= 0, f"{-self.used} bytes more given back than taken"


def unlimited() -> Room:
    """Room for everything."""
    return Room(1 << 62)


def name_bytes(name: str) -> int:
    """What a category's name counts."""
    return NAME_BYTES + len(name) * (1 if name.isascii() else WIDE)
