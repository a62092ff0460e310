"""Cells of a CSV file as values. CSV has texts only: what a cell is follows from its column's kind.

An empty cell is no value; "" in quotes is an empty text. Numeric columns: a number as C writes it (NaN and inf are
numbers that do not count, spaces around it are let go); what is none is of a wrong type. Categories and ids: the text
as it stands, so that 1.0 is another category than 1. Binary columns without `positive`: true and false in any case, and
numbers, as they would be in JSON. Times: whole numbers exactly, other numbers as floats; ISO 8601 as it is.
"""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamcheck.adapters.files import arrow
from streamcheck.core.columns import Coded, Numbers, Values, nothing
from streamcheck.core.types import BoolArray, FloatArray

_WHOLE = "^-?[0-9]{1,18}$"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def csv_number(texts: Any) -> Values:
    """Cells of a numeric column."""
    if pa.types.is_null(texts.type):
        return nothing(len(texts))
    try:
        floats = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return _some_numbers(texts)
    values = (pc.fill_null(floats, 0.0) if floats.null_count else floats).to_numpy(zero_copy_only=False)
    return Numbers(values, arrow.present(texts))


def csv_category(texts: Any) -> Coded:
    """Cells of a categorical column."""
    return arrow.category(texts)


def csv_binary(texts: Any) -> Coded:
    """Cells of a column of yes and no."""
    coded = arrow.category(texts)
    return Coded(coded.codes, [_truth(str(text)) for text in coded.values])


def csv_instant(texts: Any) -> Values:
    """Cells of a column of times."""
    if pa.types.is_null(texts.type):
        return nothing(len(texts))
    if pc.all(pc.match_substring_regex(texts, _WHOLE), skip_nulls=True).as_py():
        return arrow.instant(texts.cast(pa.int64()))
    coded = arrow.category(texts)
    return Coded(coded.codes, [_time(str(text)) for text in coded.values])


def _some_numbers(texts: Any) -> Numbers:
    """The same where some are none: parsed once for each distinct text, by the very parser of the rest."""
    coded = arrow.category(pc.utf8_trim_whitespace(texts))
    values, good = _parsed(pa.array(coded.values, pa.string()))
    values, good = np.append(values, 0.0), np.append(good, np.True_)
    return Numbers(values[coded.codes], arrow.present(texts), foreign=~good[coded.codes])


def _parsed(texts: Any) -> tuple[FloatArray, BoolArray]:
    """Numbers, and which texts are some: halves are tried until what fails is alone."""
    try:
        return texts.cast(pa.float64()).to_numpy(zero_copy_only=False), np.ones(len(texts), np.bool_)
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return np.zeros(1), np.zeros(1, np.bool_)
    middle = len(texts) // 2
    left, right = _parsed(texts[:middle]), _parsed(texts[middle:])
    return np.concatenate([left[0], right[0]]), np.concatenate([left[1], right[1]])


def _truth(text: str) -> object:
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return lowered
    return float(lowered) if _NUMBER.fullmatch(lowered) else text


def _time(text: str) -> object:
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return stripped
    return int(stripped) if stripped.lstrip("+-").isdigit() else float(stripped)
