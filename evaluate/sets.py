"""Real and published data sets as columns. They are no part of the project; the README beside them names sources."""

import csv
import gzip
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evaluate.kept import ROOT
from evaluate.streams import Floats, Ints

FOLDER = ROOT.parent / "shared" / "data"
BANK, ELEC2 = "bank_marketing.zip", "elec2.csv.gz"
NOAA, NOAA_DRIFTED = "noaa_weather.csv.gz", "noaa_weather_drifted_at_12000.csv.gz"
TORNADO: dict[str, tuple[int, ...]] = {
    f"tornado_{name}_{seed}.arff.gz": drifts
    for seed in (101, 102)
    for name, drifts in (
        ("sine1_w_50_n_0.1", (20_000, 40_000, 60_000, 80_000)),
        ("mixed_w_50_n_0.1", (20_000, 40_000, 60_000, 80_000)),
        ("circles_w_500_n_0.1", (25_000, 50_000, 75_000)),
    )
}
"""Files with the rows at which their concepts change."""
NOAA_FEATURES = (
    *("temperature", "dew_point", "sea_level_pressure", "visibility"),
    *("wind_speed", "wind_speed_max", "temperature_min", "temperature_max"),
)
ELEC2_FEATURES = ("nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
BANK_NUMBERS = (
    *("age", "campaign", "pdays", "previous", "emp.var.rate"),
    *("cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"),
)
BANK_NAMES = (
    *("job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week", "poutcome"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one length: numbers, and codes with their texts."""

    numbers: Mapping[str, Floats]
    codes: Mapping[str, Floats] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def columns(self) -> dict[str, Floats]:
        """All of them."""
        return {**self.numbers, **self.codes}

    def shuffled(self, order: Ints) -> "Table":
        """The same rows in another order."""
        return Table(
            {name: column[order] for name, column in self.numbers.items()},
            {name: column[order] for name, column in self.codes.items()},
            self.texts,
        )


def noaa(path: Path) -> Table:
    """Eight features of 18,159 days; the drifted file begins with a row number."""
    with gzip.open(path, "rt") as lines:
        values = np.loadtxt(lines, delimiter=",", skiprows=1)
    values = values[:, -9:-1]
    return Table(dict(zip(NOAA_FEATURES, values.T, strict=True)))


def elec2(path: Path) -> Table:
    """Prices and demand each half hour."""
    with gzip.open(path, "rt") as lines:
        rows = list(csv.DictReader(lines))
    return Table({name: np.array([float(row[name]) for row in rows]) for name in ELEC2_FEATURES})


def bank(path: Path) -> Table:
    """Numbers and names of a campaign, without `duration`, which is known after the call only."""
    with zipfile.ZipFile(path) as archive, archive.open("bank-additional/bank-additional-full.csv") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file), delimiter=";"))
    codes, texts = {}, {}
    for name in BANK_NAMES:
        values = [row[name] for row in rows]
        texts[_plain(name)] = known = tuple(sorted(set(values)))
        codes[_plain(name)] = np.array([known.index(value) for value in values], np.float64)
    return Table({_plain(name): np.array([float(row[name]) for row in rows]) for name in BANK_NUMBERS}, codes, texts)


def _plain(name: str) -> str:
    return name.replace(".", "_")


def tornado(path: Path) -> tuple[list[dict[str, float]], Ints]:
    """Rows as a tree of river wants them, and their classes (1: p)."""
    with gzip.open(path, "rt") as lines:
        text = [line.strip().split(",") for line in lines if line.strip() and line[0] not in "@%"]
    number = {"True": 1.0, "False": 0.0}
    rows = [{f"x{at}": number.get(v) if v in number else float(v) for at, v in enumerate(row[:-1])} for row in text]
    return rows, np.array([row[-1] == "p" for row in text], np.int64)  # type: ignore[return-value]


READERS = {BANK: bank, ELEC2: elec2, NOAA: noaa, NOAA_DRIFTED: noaa}
