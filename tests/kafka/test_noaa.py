"""Is a known drift in real data found through a real broker, and nothing before it that its undrifted twin has not?"""

import pytest

from bench import noaa

pytestmark = pytest.mark.kafka


def test_the_drift_is_found_and_the_rows_before_it_give_the_same_alerts(kafka, tmp_path) -> None:
    if not noaa.available():
        pytest.skip("NO DATA: needs noaa_weather*.csv.gz in ../shared/data")
    features = noaa.altered(noaa.read())
    assert features == noaa.FEATURES  # the columns are turned by one; their labels are not
    outcome = noaa.compare(noaa.both(kafka.bootstrap, tmp_path, prefix=f"noaa.{tmp_path.name}"), features)
    assert outcome.before["twin"] == outcome.before["drifted"]
    assert any(alert["state"] == "firing" for alert in outcome.before["twin"])  # weather changes by itself
    # these two get a spread of another size; most others a neighbour's, alike in mean, spread and shape
    by_reference = {alert["column"] for alert in outcome.found if alert["detector"] == "scan"}
    assert by_reference >= {"dew_point", "sea_level_pressure"}
    # were these finds chance, the twin would have such, too
    assert not [alert for alert in outcome.extra if alert["detector"] == "scan"]
