"""Does every row get the segment number that canonical order gives it, however it came?"""

import numpy as np
import pytest

from streamcheck.core import codec
from streamcheck.core.ids import NO_KEYS
from streamcheck.core.plan import Segmentation
from streamcheck.core.rows import Rows
from streamcheck.core.segments import SegmentTable, group
from streamcheck.core.types import MISSING_SEGMENT, OTHER_SEGMENT, Dictionary

TIER, CROSSED = Segmentation(("tier",)), Segmentation(("tier", "country"))
PLACES = (0, 1)


def rows(*fields, dictionaries=None):
    """Rows with these segment fields, a list of texts (None: missing) each."""
    made, codes = [], []
    for place, values in enumerate(fields):
        dictionary = Dictionary(dictionaries[place] if dictionaries else ())
        codes.append([-1 if value is None else dictionary.encode(value) for value in values])
        made.append(dictionary)
    n = len(fields[0])
    table = np.array(codes, np.int32).reshape(len(fields), n)
    status = (table < 0).astype(np.uint8)
    return Rows(np.arange(n), np.arange(n), NO_KEYS, np.zeros((0, n)), table, status, tuple(made))


def numbered(table, made, order=None):
    columns = list(range(len(table.segmentation.fields)))
    order = np.arange(len(made)) if order is None else order
    return table.numbers(made, columns, order).tolist()


def keys(table, made):
    return [table.keys[n] for n in numbered(table, made)]


def test_numbers_follow_first_canonical_appearance():
    table = SegmentTable(TIER, 10)
    assert numbered(table, rows(["b", "a", "b", "c"])) == [1, 2, 1, 3]
    assert numbered(table, rows(["c", "d", "a"])) == [3, 4, 2]
    assert table.keys == [(OTHER_SEGMENT,), ("b",), ("a",), ("c",), ("d",)]


def test_canonical_order_counts_not_the_order_of_the_arrays():
    table = SegmentTable(TIER, 10)
    assert numbered(table, rows(["a", "b", "c"]), np.array([2, 0, 1])) == [2, 3, 1]


@pytest.mark.parametrize("seed", range(50))
def test_the_same_numbers_for_any_row_order_and_dictionary(seed):
    rng = np.random.default_rng(seed)
    n, names = 60, [f"s{i}" for i in range(12)]
    fields = [[None if rng.random() < 0.1 else str(rng.choice(names)) for _ in range(n)] for _ in range(2)]
    expected_table, limit = SegmentTable(CROSSED, 20), 20
    expected = numbered(expected_table, rows(*fields))
    # Plain statements: a number for each new pair while there is room.
    seen = {}
    for pair in zip(*fields, strict=True):
        if pair not in seen and len(seen) < limit:
            seen[pair] = len(seen) + 1
    assert expected == [seen.get(pair, 0) for pair in zip(*fields, strict=True)]
    shuffle = rng.permutation(n)
    shuffled = [[values[i] for i in shuffle] for values in fields]
    back = np.argsort(shuffle)  # canonical order of the shuffled rows
    known = [tuple(rng.permutation(names).tolist()) for _ in range(2)]
    table = SegmentTable(CROSSED, 20)
    found = table.numbers(rows(*shuffled, dictionaries=known), [0, 1], back)
    assert found[back].tolist() == expected
    assert (table.keys, table.overflowed) == (expected_table.keys, expected_table.overflowed)


def test_crossed_segments_are_pairs():
    table = SegmentTable(CROSSED, 10)
    assert keys(table, rows(["p", "p", "g", "p"], ["DE", "FR", "DE", "DE"])) == [
        ("p", "DE"),
        ("p", "FR"),
        ("g", "DE"),
        ("p", "DE"),
    ]
    assert table.label(2) == (("tier", "p"), ("country", "FR"))


def test_four_fields_with_enormous_dictionaries_do_not_run_into_one_another():
    """One number for a combination of five such fields would need 80 bits."""
    fields = tuple(f"f{i}" for i in range(5))
    many = tuple(f"v{i}" for i in range(65_535))
    table = SegmentTable(Segmentation(fields), 1_000)
    first, same = ["v0", "v1", "v40000", "v65534"], ["v7"] * 4
    made = rows(first, same, same, same, same, dictionaries=[many] * 5)
    assert len(set(keys(table, made))) == 4


def test_a_missing_value_is_a_segment_of_its_own():
    table = SegmentTable(CROSSED, 10)
    assert keys(table, rows([None, "p", None], ["DE", None, None])) == [
        (MISSING_SEGMENT, "DE"),
        ("p", MISSING_SEGMENT),
        (MISSING_SEGMENT, MISSING_SEGMENT),
    ]


def test_values_beyond_the_limit_go_to_other_and_are_counted():
    table = SegmentTable(TIER, 2)
    assert numbered(table, rows(["a", "b", "c", "a", "d", "c"])) == [1, 2, 0, 1, 0, 0]
    assert table.overflowed == 3
    assert numbered(table, rows(["c", "b"])) == [0, 2]
    assert table.overflowed == 4
    assert table.label(0) == (("tier", OTHER_SEGMENT),)


def test_exactly_the_limit_is_no_overflow():
    table = SegmentTable(TIER, 2)
    numbered(table, rows(["a", "b", "a"]))
    assert table.overflowed == 0


def test_export_and_restore_go_on_with_the_same_numbers():
    table = SegmentTable(CROSSED, 3)
    numbered(table, rows(["a", "b", None], ["x", "x", "y"]))
    numbered(table, rows(["z"], ["z"]))
    twin = SegmentTable(CROSSED, 3)
    twin.restore(codec.decode("t", codec.encode("t", 1, table.export()))[1])
    more = (["b", "q", None], ["x", "q", "y"])
    assert numbered(table, rows(*more)) == numbered(twin, rows(*more)) == [2, 0, 3]
    assert table.export() == twin.export()


def test_groups_are_the_segments_that_occur():
    groups = group(np.array([5, 0, 5, 2], np.int32))
    assert (groups.segments.tolist(), groups.groups.tolist()) == ([0, 2, 5], [2, 0, 2, 1])
