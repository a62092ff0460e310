"""Do the examples on public data still read what `tools/prepare_examples.py` makes of it?"""

import csv
from pathlib import Path

import pytest

from streamcheck.config.load import load
from tools import prepare_examples

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"


def columns_of(config: str) -> set[str]:
    """Fields that a config reads from predictions."""
    plan = load(ROOT / "configs" / "examples" / config, {}).plan
    assert plan.predictions.time is not None
    names = {".".join(column.path) for column in plan.predictions.columns} | {".".join(plan.predictions.time.path)}
    return names | ({".".join(plan.predictions.id_path)} if plan.predictions.id_path else set())


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.skipif(not (DATA / "bank_marketing.zip").exists(), reason="needs ../shared/data")
def test_bank(tmp_path: Path) -> None:
    prepare_examples.bank(DATA / "bank_marketing.zip", tmp_path)
    rows = read(tmp_path / "bank.csv")
    assert columns_of("bank.yaml") <= rows[0].keys()
    times = [row["time"] for row in rows]
    assert times == sorted(times)
    assert (times[0][:7], times[-1][:7], len(rows)) == ("2008-05", "2010-11", 37_188)
    first, last = (sum(row["y"] == "yes" for row in part) / len(part) for part in (rows[:5_000], rows[-2_000:]))
    assert first < 0.06
    assert last > 0.4, "the rate shift that the report shows"


@pytest.mark.skipif(not (DATA / "hotel_bookings.csv.zip").exists(), reason="needs ../shared/data")
def test_hotel(tmp_path: Path) -> None:
    prepare_examples.hotel(DATA / "hotel_bookings.csv.zip", tmp_path)
    rows, labels = read(tmp_path / "hotel-predictions.csv"), read(tmp_path / "hotel-labels.csv")
    assert columns_of("hotel.yaml") <= rows[0].keys()
    assert labels[0].keys() == {"id", "known", "is_canceled"}
    booked, known = {row["id"]: row["booked"] for row in rows}, [row["known"] for row in labels]
    assert (len(rows), len(labels), len(booked)) == (98_395, 98_395, 98_395)
    assert known == sorted(known)
    assert list(booked.values()) == sorted(booked.values())
    assert all(row["known"] >= booked[row["id"]] for row in labels), "a label never comes before its prediction"
