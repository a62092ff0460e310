"""The example of the electricity market: a real file, whose drift is known. Skips where the data is not there."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamcheck.cli import main

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "examples" / "elec2.yaml"
DATA = ROOT.parent / "shared" / "data" / "elec2.csv.gz"
LIVE_FROM_DAY = 17_424 // 48
DAYS_1970 = 365


def test_the_example_is_a_config_without_mistakes() -> None:
    assert CliRunner().invoke(main, ["check", str(CONFIG)]).exit_code == 0


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/elec2.csv.gz")
def test_three_columns_that_come_alive_are_noticed_on_their_first_day(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    done = CliRunner().invoke(main, ["backtest", str(CONFIG), "--predictions", str(DATA), "--json", str(out)])
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_bytes())
    assert result["partitions"] == {"elec2[0]": {"accepted": 45_312, "late": 0, "rejected": {}}}
    alerts = {
        alert["column"]: (alert["monitor"], alert["change_at"][:10], alert["pane_end"][:10])
        for alert in reversed(result["alerts"])
        if alert["column"] in ("vicprice", "vicdemand", "transfer")
    }
    assert LIVE_FROM_DAY == DAYS_1970 - 2, "the day is the 30th of December 1970"
    assert alerts == {
        column: (f"{column}-outside", "1970-12-30", "1970-12-31") for column in ("vicprice", "vicdemand", "transfer")
    }
