"""By which schemas were events written? What decoders ask of a schema registry."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A schema that events were written by. content: Avro: its JSON; Protobuf: a serialized FileDescriptorProto.

    kind: AVRO, PROTOBUF or JSON. references: what it refers to, name and content, each after what it refers to itself.
    """

    kind: str
    content: bytes
    references: tuple[tuple[str, bytes], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of it, with all that it refers to."""
        return len(self.content) + sum(len(content) for _, content in self.references)


class Registry(Protocol):
    """Knows the schemas that events were written by."""

    def schema(self, number: int) -> WriterSchema | None:
        """The schema of this number; None where there is none, which never changes.

        Waits for a registry that does not answer. Raises RegistryUnavailable where it does not come back in time,
        SourceError where it refuses.
        """
