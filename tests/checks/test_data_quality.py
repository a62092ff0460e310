"""Check 2, data quality: each fault is put into a stream and must be found and named; a clean one stays silent."""

import numpy as np
import orjson
import pytest

from streamcheck.runtime.notices import notices
from streamcheck.runtime.telemetry import AlertBook
from tests.checks.harness import CONFIG, Stream, monitors, of, ordinary, with_fault

FOLLOWING = {"amount-mean_shift", "amount-scale", "amount-outside"}


@pytest.fixture(scope="module")
def cents():
    return with_fault(lambda k, event: event | {"amount": event["amount"] * 100} if k % 4 == 3 else event)


def test_nothing_is_found_where_nothing_is_wrong():
    assert Stream().feed(ordinary(30_000, seed=3)).end() == []


def test_a_unit_change_is_named_with_its_partition(cents):
    found = of(cents, "amount-unit_change")
    assert found["evidence"]["unit"][0] | {"rows": 0} == {
        "factor": 100.0, "offset": 0.0, "partition": "p[3]", "rows": 0
    }
    said = "unit changed x100 (as from euros to cents, or a share to per cent) in p[3]"
    assert found["summary"].startswith(f"amount: {said} since about")


def test_drift_that_follows_from_a_fault_says_so_and_is_one_incident_with_it(cents):
    following = [record for record in cents if record["monitor"] in FOLLOWING]
    assert monitors(following) == FOLLOWING
    told = [record for record in following if "cause" in record["evidence"]]
    assert {"amount-mean_shift", "amount-scale"} <= monitors(told)  # `outside` may be a pane ahead of the fault
    for record in told:
        assert record["evidence"]["cause"]["monitor"] == "amount-unit_change"
        assert "follows from amount-unit_change: unit changed x100" in record["summary"]
    assert len({record["incident"] for record in cents}) == 1


def test_an_incident_is_read_in_one_line(cents):
    book = AlertBook().after(orjson.dumps(record) for record in cents)
    (notice,) = notices(book, "checks")
    assert notice.cause == notice.headline
    assert notice.headline.startswith("amount: unit changed x100")
    assert notice.headline.endswith("; 3 drift alerts follow from it")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v / 1000, "x1/1000 (as from milliseconds to seconds, or metres to kilometres)"),
        (lambda v: v * 10, "x10"),
    ],
)
def test_units_of_all_rows(change, said):
    fired = with_fault(lambda _, event: event | {"amount": change(event["amount"])})
    found = of(fired, "amount-unit_change")
    assert found["evidence"]["unit"][0]["partition"] is None
    assert found["summary"].startswith(f"amount: unit changed {said} since about")


def test_fahrenheit():
    rng = np.random.default_rng(5)
    degrees = np.round(rng.normal(21, 3, 20_000), 1).tolist()
    fired = with_fault(
        lambda k, event: event | {"amount": degrees[-k] * 1.8 + 32},
        events=lambda k, event: event | {"amount": degrees[k]},
    )
    assert of(fired, "amount-unit_change")["evidence"]["fault"] == "unit changed from °C to °F"


def test_a_drift_is_no_change_of_unit():
    fired = with_fault(lambda _, event: event | {"amount": event["amount"] * 3})
    assert "amount-mean_shift" in monitors(fired)
    assert "amount-unit_change" not in monitors(fired)
    assert all("cause" not in record["evidence"] for record in fired)


def test_a_value_that_is_stuck_in_one_partition():
    fired = with_fault(lambda k, event: event | {"amount": 36.5} if k % 4 == 2 else event)
    found = of(fired, "amount-stuck")
    assert found["evidence"]["stuck_at"] == 36.5
    assert found["evidence"]["partitions"] == ["p[2]"]
    assert found["summary"].startswith("amount: stuck at 36.5 in p[2] (")


def test_a_column_that_becomes_sparse():
    fired = with_fault(lambda k, event: event | {"amount": 0.0} if k % 5 == 0 else event)
    found = of(fired, "amount-zeros")
    assert found["summary"].startswith("amount: zero in ")
    assert found["evidence"]["fault"].endswith("of rows (0.0 % before)")


def test_a_wrong_type():
    fired = with_fault(lambda k, event: event | {"items": "three"} if k % 3 == 0 else event)
    assert of(fired, "items-wrong_type_rate")["evidence"]["fault"].startswith("of the wrong type in 3")


def test_missing_values():
    fired = with_fault(lambda k, event: event | {"country": None} if k % 3 == 0 else event)
    assert of(fired, "country-missing_rate")["summary"].startswith("country: missing in 3")


def test_an_unseen_category():
    fired = with_fault(lambda k, event: event | {"country": "XX"} if k % 12 == 0 else event)
    assert "country-unseen" in monitors(fired)


def test_values_beyond_the_declared_range_and_beyond_what_was_learned():
    ranged = CONFIG.replace("amount: numeric", "amount: {kind: numeric, range: [0, 3000]}")
    fired = with_fault(lambda k, event: event | {"amount": 9_000.0} if k % 20 == 0 else event, config=ranged)
    assert {"amount-out_of_range", "amount-outside"} <= monitors(fired)


def test_a_column_that_becomes_noisy():
    fired = with_fault(lambda k, event: event | {"amount": event["amount"] * (2.2 if k % 2 else 0.45)})
    assert "amount-scale" in monitors(fired)
