"""Are values that lie in one block, or in several that become one, the same values?"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamcheck.core.pieces import GAP_MAX, Pieces

GAPS = st.one_of(st.integers(0, 20), st.integers(0, GAP_MAX + 1))
VALUES = st.lists(st.tuples(st.text("{}x", max_size=3).map(str.encode), GAPS), min_size=1, max_size=6)


def laid(values: list[tuple[bytes, int]]) -> Pieces:
    """Each value with so many bytes behind it that are no part of it."""
    data, begins, ends = b"", [], []
    for value, gap in values:
        begins.append(len(data))
        data += value
        ends.append(len(data))
        data += b"#" * gap
    return Pieces(data, np.array(begins, np.int64), np.array(ends, np.int64))


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_as_lines_each_is_itself_with_blanks_behind_it(values) -> None:
    """Whatever lies between them: nothing, a byte, or hundreds, as between the batches of an answer."""
    lines = bytes(laid(values).lines()).split(b"\n")
    assert [line.lstrip(b" ") for line in lines] == [value for value, _ in values]


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=3), st.lists(st.integers(0, 2), min_size=1, max_size=5))
def test_parts_of_the_same_block_are_put_together_without_a_copy_of_it(blocks, order) -> None:
    made = [laid(values) for values in blocks]
    parts = [made[at % len(made)] for at in sorted(order)]
    wanted = [value for part in parts for value in part]
    assert list(Pieces.together(parts)) == wanted
    keys = [part[:1] if len(part) else part for part in parts]
    beside = Pieces.beside([(key, part) for key, part in zip(keys, parts, strict=True)])
    assert list(beside[0]) == [value for key in keys for value in key]
    assert list(beside[1]) == wanted
    if parts[0].data and len({id(part.data) for part in parts}) == 1:
        assert beside[1].data is parts[0].data
