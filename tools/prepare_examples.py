"""Public data sets as files for `streamcheck backtest`: in time order, with the predictions of a simple frozen model.

python tools/prepare_examples.py bank bank_marketing.zip FOLDER
python tools/prepare_examples.py hotel hotel_bookings.csv.zip FOLDER

The model is a logistic regression that is fitted once, on the first rows, and never again; those rows are left out of
the files. It is no good model, and not meant to be: what is watched is how it fares as the world moves on.

bank: UCI Bank Marketing (bank-additional-full.csv; Moro, Cortez, Rita 2014). The rows are in the order of time, May
2008 to November 2010, and say month and weekday only: here the rows of a month are spread evenly over it. `duration` is
left out, for it is known after the call only. The outcome is known at once and stands in the same row.

hotel: Hotel bookings (Antonio, de Almeida, Nunes 2019). A booking is scored on the day on which it is made (arrival
less lead time), in that order; the label comes on `reservation_status_date`, from the same day to two years later. The
data hold arrivals from July 2015 to August 2017, so the last months have bookings of short lead time only: a change of
the sample, which monitors rightly report. What hotels enter after the booking (room, changes, deposit) is left out.
"""

import argparse
import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
BANK_FITTED_ROWS = 4_000
BANK_NUMBERS = (
    "age",
    "campaign",
    "previous",
    "emp.var.rate",
    "cons.price.idx",
    "cons.conf.idx",
    "euribor3m",
    "nr.employed",
)
BANK_NAMES = ("job", "marital", "education", "default", "housing", "loan", "contact", "poutcome")
BANK_USED = (("age", "campaign", "previous"), ("job", "marital", "education", "contact", "poutcome"))
HOTEL_FITTED_UNTIL = datetime(2015, 10, 1, tzinfo=UTC)
HOTEL_NUMBERS = (
    "lead_time",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "adults",
    "children",
    "previous_cancellations",
    "adr",
)
HOTEL_NAMES = ("hotel", "market_segment", "distribution_channel", "customer_type", "meal", "is_repeated_guest")
HOTEL_USED = (
    ("lead_time", "adults", "previous_cancellations"),
    ("hotel", "market_segment", "customer_type", "is_repeated_guest"),
)
STEPS = 30

Row = dict[str, str]


class Logistic:
    """P(label = 1) by logistic regression with a little ridge, fitted by Newton's method."""

    def __init__(
        self, numbers: Sequence[str], names: Sequence[str], rows: Sequence[Row], label: Sequence[bool]
    ) -> None:
        self._numbers, self._names = numbers, names
        self._values = [(name, value) for name in names for value in sorted({row[name] for row in rows})[1:]]
        raw = self._raw(rows)
        self._mean, self._sd = raw.mean(axis=0), raw.std(axis=0) + 1e-9
        x, y = self._columns(rows), np.asarray(label, np.float64)
        self._weights = np.zeros(x.shape[1])
        for _ in range(STEPS):
            p = 1 / (1 + np.exp(-x @ self._weights))
            slope = x.T @ (p - y) + 0.1 * self._weights
            bend = (x * (p * (1 - p))[:, None]).T @ x + 0.1 * np.eye(x.shape[1])
            self._weights -= np.linalg.solve(bend, slope)

    def scores(self, rows: Sequence[Row]) -> npt.NDArray[np.float64]:
        """One probability for each row."""
        return np.asarray(1 / (1 + np.exp(-self._columns(rows) @ self._weights)))

    def _raw(self, rows: Sequence[Row]) -> npt.NDArray[np.float64]:
        made = np.array([[float(row[name]) for name in self._numbers] for row in rows])
        return np.asarray(np.log1p(np.maximum(made, 0.0)))

    def _columns(self, rows: Sequence[Row]) -> npt.NDArray[np.float64]:
        raw = np.clip((self._raw(rows) - self._mean) / self._sd, -5.0, 5.0)
        names = np.array([[row[name] == value for name, value in self._values] for row in rows], np.float64)
        return np.hstack([np.ones((len(rows), 1)), raw, names])


def bank(archive: Path, folder: Path) -> None:
    """bank.csv: predictions with their outcome."""
    rows = _read(archive, "bank-additional/bank-additional-full.csv", ";")
    times = list(_bank_times(rows))
    label = [row["y"] == "yes" for row in rows]
    model = Logistic(*BANK_USED, rows[:BANK_FITTED_ROWS], label[:BANK_FITTED_ROWS])
    scores = model.scores(rows)
    held = [
        [
            _iso(time),
            *(row[name] for name in (*BANK_NUMBERS, *BANK_NAMES)),
            f"{score:.4f}",
            _word(score >= 0.5),
            row["y"],
        ]
        for row, time, score in zip(rows, times, scores.tolist(), strict=True)
    ]
    head = ["time", *BANK_NUMBERS, *BANK_NAMES, "score", "said", "y"]
    _write(folder / "bank.csv", head, held[BANK_FITTED_ROWS:])


def _bank_times(rows: Sequence[Row]) -> Iterator[datetime]:
    """Months in the order of the rows; a month that comes before the last one belongs to the next year."""
    year, at = 2008, 0
    while at < len(rows):
        month = MONTHS.index(rows[at]["month"]) + 1
        end = at
        while end < len(rows) and rows[end]["month"] == rows[at]["month"]:
            end += 1
        first = datetime(year, month, 1, tzinfo=UTC)
        following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        for k in range(end - at):
            yield first + (following - first) * (k / (end - at))
        if end < len(rows) and MONTHS.index(rows[end]["month"]) + 1 < month:
            year += 1
        at = end


def hotel(archive: Path, folder: Path) -> None:
    """hotel-predictions.csv and hotel-labels.csv, each in the order of its own time."""
    rows = _read(archive, "hotel_bookings.csv", ",")
    booked, known = (
        [_arrival(row) - timedelta(days=int(row["lead_time"])) for row in rows],
        [_known(row) for row in rows],
    )
    for row in rows:
        row["children"] = "0" if row["children"] in ("", "NA") else row["children"]
    order = sorted(range(len(rows)), key=lambda k: (booked[k], k))
    fitted = [k for k in order if booked[k] < HOTEL_FITTED_UNTIL]
    model = Logistic(*HOTEL_USED, [rows[k] for k in fitted], [rows[k]["is_canceled"] == "1" for k in fitted])
    scores = model.scores(rows).tolist()
    kept = [k for k in order if booked[k] >= HOTEL_FITTED_UNTIL]
    predictions, labels = [], []
    for k in kept:
        row, score = rows[k], scores[k]
        values = [row[name] for name in (*HOTEL_NUMBERS, *HOTEL_NAMES)]
        predictions.append([f"b{k}", _iso(booked[k]), *values, f"{score:.4f}", int(score >= 0.5)])
        labels.append((max(known[k], booked[k]), k))
    _write(
        folder / "hotel-predictions.csv", ["id", "booked", *HOTEL_NUMBERS, *HOTEL_NAMES, "score", "said"], predictions
    )
    told = [[f"b{k}", _iso(at), rows[k]["is_canceled"]] for at, k in sorted(labels)]
    _write(folder / "hotel-labels.csv", ["id", "known", "is_canceled"], told)


def _arrival(row: Row) -> datetime:
    month = MONTHS.index(row["arrival_date_month"][:3].lower()) + 1
    return datetime(int(row["arrival_date_year"]), month, int(row["arrival_date_day_of_month"]), tzinfo=UTC)


def _known(row: Row) -> datetime:
    month, day, year = map(int, row["reservation_status_date"].split("/"))
    return datetime(year, month, day, tzinfo=UTC)


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _word(positive: bool) -> str:  # noqa: FBT001 (what is asked)
    return "yes" if positive else "no"


def _read(archive: Path, name: str, separator: str) -> list[Row]:
    with zipfile.ZipFile(archive) as held, held.open(name) as file:
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8"), delimiter=separator))


def _write(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])
    print(f"{path}: {len(rows):,} rows")


def main() -> None:
    """One data set."""
    parser = argparse.ArgumentParser(description="Public data sets as files for `streamcheck backtest`.")
    parser.add_argument("which", choices=("bank", "hotel"))
    parser.add_argument("archive", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    {"bank": bank, "hotel": hotel}[given.which](given.archive, given.folder)


if __name__ == "__main__":
    main()
