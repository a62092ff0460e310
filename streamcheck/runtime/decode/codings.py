"""Which code has a value of a coded column? What has been met before is looked up; only what is new is judged."""

from collections.abc import Iterator, Sequence
from operator import itemgetter

import numpy as np

from streamcheck.core.plan import Column, Kind
from streamcheck.core.types import CodeArray, Dictionary, FieldStatus, StatusArray
from streamcheck.runtime.decode.fields import TEXT_MAX, binary_encoder, category_encoder, read_codes

DICTIONARY_MAX = 16_384
"""Categories after which a column's dictionary is replaced: at 64 characters 4 to 7 MiB a column."""

_BYTES = 255
"""Codes that fit into a byte, beside the one of what is missing."""
_NUMBER_MAX = 2**63
_BINARY_VALUES = Dictionary(("0", "1"))


class Coding:
    """The dictionary of one coded column, and the codes of the values that have been met.

    Binary columns share the fixed dictionary of "0" and "1".
    """

    def __init__(self, column: Column) -> None:
        self._column = column
        if column.kind is Kind.BINARY:
            self.dictionary, self.encode = _BINARY_VALUES, binary_encoder(column.positive)
        else:
            self.dictionary = Dictionary()
            self.encode = category_encoder(self.dictionary)
        # 1 and True are one key of a dict, but two categories: "1" and "true".
        self._bools_differ = column.kind is not Kind.BINARY or column.positive is not None
        self._known: dict[object, int] = {None: 0}  # value -> code + 1
        self._numbers_known = False

    def renewed(self) -> "Coding":
        """Itself, or another one with an empty dictionary in the place of one that has grown too large."""
        return Coding(self._column) if len(self.dictionary) > DICTIONARY_MAX else self

    def read(self, values: Sequence[object]) -> tuple[CodeArray, StatusArray | None]:
        """The codes of the values (-1 where not OK), and the status of each; None where all are OK.

        >>> from streamcheck.core.plan import Role
        >>> coding = Coding(Column("tier", ("tier",), Kind.CATEGORICAL, Role.SEGMENT))
        >>> [coding.read(values)[0].tolist() for values in (["a", "b"], ["b", None], [1, True])]
        [[0, 1], [1, -1], [2, 3]]
        """
        if len(values) < 2 or (self._numbers_known and self._bools_differ and bool in set(map(type, values))):
            return self._judged(values)
        try:
            found = itemgetter(*values)(self._known)
        except (KeyError, TypeError):  # new, or no key of a dict
            return self._judged(values)
        # Bytes are five times as fast as an array of whole numbers.
        few = len(self.dictionary) <= _BYTES
        codes = (np.frombuffer(bytes(found), np.uint8) if few else np.array(found)).astype(np.int32) - 1
        missing = codes < 0
        return codes, missing * np.uint8(FieldStatus.MISSING) if missing.any() else None

    def _judged(self, values: Sequence[object]) -> tuple[CodeArray, StatusArray]:
        codes, status = read_codes(values, self.encode)
        try:
            new = [value for value in dict.fromkeys(values) if value not in self._known]
        except TypeError:  # lists are no keys
            new = []
        for value in new:
            if self._may_be_known(value) and (code := self.encode(value)) >= 0:
                self._known[value] = code + 1
                self._numbers_known |= not isinstance(value, str)
        return codes, status

    def _may_be_known(self, value: object) -> bool:
        """Whether it is small, and equal to no value with another code."""
        if isinstance(value, str):
            return len(value) <= TEXT_MAX
        if isinstance(value, bool):
            return not self._bools_differ
        return isinstance(value, int | float) and abs(value) <= _NUMBER_MAX


class Codings:
    """The codings of a stream's coded columns, over all batches."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._codings = [Coding(column) for column in columns]

    def __iter__(self) -> Iterator[Coding]:
        return iter(self._codings)

    @property
    def dictionaries(self) -> tuple[Dictionary, ...]:
        """One of each column."""
        return tuple(coding.dictionary for coding in self._codings)

    def replace_full(self) -> None:
        """New dictionaries in the place of those that have grown too large."""
        self._codings = [coding.renewed() for coding in self._codings]
