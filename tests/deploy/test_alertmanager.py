"""Does the real Alertmanager take what fires, keep it while it is told, and drop it when it is over?"""

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamcheck.adapters.notify.alertmanager import AlertmanagerTeller
from streamcheck.runtime.notices import Heard, Route, Silences
from streamcheck.runtime.telemetry import AlertBook, segment_text
from tests.deploy.programs import answers, free_port, started, until

ROOT = Path(__file__).parents[2]
EVERY_S = 1.0


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("NO PROMETHEUS: Alertmanager is NOT tested here; apt install prometheus-alertmanager")
    port, folder = free_port(), tmp_path_factory.mktemp("alertmanager")
    shutil.copy(ROOT / "deploy/alertmanager/alertmanager.yml", folder)
    command = [program, "--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address="]
    with started(*command, f"--web.listen-address=127.0.0.1:{port}", cwd=folder):
        found = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{found}/-/ready"), "Alertmanager")
        yield found


def alerts(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=10) as answer:
        found: list[dict[str, Any]] = json.loads(answer.read())
        return found


def record(sequence: int, alert: str, state: str) -> bytes:
    return orjson.dumps(
        {"id": alert, "incident": "i1", "sequence": sequence, "state": state, "monitor": "amount-scan", "owner": "risk",
         "severity": "page", "segment": {"tier": 'pre"mium'}, "column": "amount", "summary": "amount rose",
         "pane_end": "2026-03-01T10:00:10.000Z", "runbook": "https://wiki.example/x"}
    )  # fmt: skip


def heard(*records: bytes) -> Heard:
    return Silences(segment_text=segment_text).heard(AlertBook().after(records), "shop", int(time.time() * 1000))


def test_it_receives_and_resolves(url: str) -> None:
    teller = AlertmanagerTeller(Route("am"), url, EVERY_S)
    fires = record(1, "a", "firing")
    teller.turn(heard(fires), 0.0)
    assert teller.status.trouble == ""
    [alert] = until(lambda: alerts(url) or None, "the alert")
    assert alert["status"]["state"] == "active"
    assert alert["labels"] == {
        "alertname": "StreamcheckAlert", "config": "shop", "monitor": "amount-scan", "column": "amount",
        "owner": "risk", "severity": "page", "segment": 'tier=pre"mium', "incident": "i1", "id": "a",
    }  # fmt: skip
    assert alert["annotations"]["runbook_url"] == "https://wiki.example/x"
    assert {receiver["name"] for receiver in alert["receivers"]} == {"on-call"}
    teller.turn(heard(fires, record(2, "a", "resolved")), 0.1)
    until(lambda: True if not alerts(url) else None, "the alert to be over")
    assert teller.status.sent == 2


def test_what_is_told_no_more_ends_by_itself(url: str) -> None:
    AlertmanagerTeller(Route("am"), url, EVERY_S).turn(heard(record(1, "b", "firing")), 0.0)
    until(lambda: alerts(url) or None, "the alert")
    until(lambda: True if not alerts(url) else None, "the alert to end after three intervals")


def test_it_is_told_again_while_it_fires(url: str) -> None:
    teller = AlertmanagerTeller(Route("am"), url, EVERY_S)
    end = time.monotonic() + 5 * EVERY_S
    while time.monotonic() < end:
        teller.turn(heard(record(1, "c", "firing")), time.monotonic())
        time.sleep(0.1)
    assert [alert["labels"]["id"] for alert in alerts(url)] == ["c"]
    assert teller.status.sent >= 4
    teller.turn(heard(record(1, "c", "firing"), record(2, "c", "resolved")), time.monotonic())
    until(lambda: True if not alerts(url) else None, "the alert to be over")
