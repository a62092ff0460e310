"""Does the real Prometheus take our rules, our gauges and the queries of our dashboard?"""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamcheck.adapters.prometheus.gauges import GAUGES
from tests.deploy.programs import answers, free_port, started, until
from tools import grafana

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
EMPTY_IN_THE_DEMO = ("rejected", "late", "last_commit", "[")
IN_THE_DEMO = ("instance", "config", "monitor", "segment")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, cwd=FOLDER, check=False, timeout=60)


def test_the_rules_are_valid(promtool: str) -> None:
    done = run(promtool, "check", "rules", "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_say_what_their_tests_expect(promtool: str) -> None:
    done = run(promtool, "test", "rules", "rules.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_that_are_wrong_are_caught(promtool: str, tmp_path: Path) -> None:
    """The tests of the rules can fail: without the join, drift has no owner."""
    shutil.copy(FOLDER / "rules.test.yml", tmp_path)
    text = (FOLDER / "rules.yml").read_text()
    broken = re.sub(r"\n +\* on \(job, instance, config, monitor\).*", "", text)
    assert broken != text
    (tmp_path / "rules.yml").write_text(broken)
    assert run(promtool, "test", "rules", str(tmp_path / "rules.test.yml")).returncode != 0


def test_every_alert_rule_is_tested() -> None:
    rules = [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]
    tested = {
        case["alertname"]
        for test in yaml.safe_load((FOLDER / "rules.test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert {rule["alert"] for rule in rules if "alert" in rule} - tested == {"StreamcheckLate"}


def test_the_config_is_valid(promtool: str) -> None:
    done = run(promtool, "check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanagers_config_is_valid(amtool: str) -> None:
    done = run(amtool, "check-config", str(ROOT / "deploy/alertmanager/alertmanager.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


# ------------------------------------------------------------------ scraping for real
@dataclass(frozen=True)
class Scraped:
    """A Prometheus that scrapes a demo which has come to its end and stays up."""

    url: str

    def get(self, path: str, **query: str) -> Any:
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            pytest.fail(f"{query}: {error.read().decode()}")

    def query(self, text: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self.get("/api/v1/query", query=text)["result"]
        return result


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("NO PROMETHEUS: rules and scrapes are NOT tested here; apt install prometheus")
    gauges, own = free_port(), free_port()
    demo_folder, folder = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{gauges}"]}]
    config["alerting"] = {}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(FOLDER / "rules.yml", folder)
    demo = [sys.executable, "-m", "streamcheck", "demo", "--hours", "4", "--serve", "--listen", f"127.0.0.1:{gauges}"]
    serve = [
        program,
        "--config.file=prometheus.yml",
        f"--web.listen-address=127.0.0.1:{own}",
        "--storage.tsdb.path=data",
    ]
    found = Scraped(f"http://127.0.0.1:{own}")
    with started(*demo, cwd=demo_folder), started(*serve, cwd=folder):
        until(lambda: answers(f"http://127.0.0.1:{gauges}/metrics"), "the demo's gauges")
        until(lambda: answers(f"{found.url}/-/ready"), "Prometheus")
        until(lambda: found.query("streamcheck_alert_state == 2") or None, "an alert of the demo in Prometheus")
        yield found


def test_prometheus_scrapes_the_service(scraped: Scraped) -> None:
    [target] = scraped.get("/api/v1/targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert scraped.query("streamcheck_info")[0]["metric"]["config"] == "demo"


def test_every_gauge_arrives_with_its_help_and_type(scraped: Scraped) -> None:
    told = until(lambda: scraped.get("/api/v1/metadata") or None, "metadata")
    for gauge in GAUGES:
        [family] = told[gauge.name]  # OpenMetrics: a counter's family has no _total
        assert (family["type"], family["help"]) == (gauge.kind, gauge.help)


def test_drift_becomes_an_alert_with_its_severity(scraped: Scraped) -> None:
    def firing() -> list[dict[str, Any]] | None:
        alerts = scraped.get("/api/v1/alerts")["alerts"]
        return [alert for alert in alerts if alert["labels"]["alertname"] == "StreamcheckDrift"] or None

    found = until(firing, "StreamcheckDrift")
    assert {alert["labels"]["severity"] for alert in found} <= {"warning", "page"}
    assert {alert["labels"]["owner"] for alert in found} <= {"ml-platform", "risk-oncall"}
    assert any("amount is" in alert["annotations"]["description"] for alert in found)


def test_no_rule_fails(scraped: Scraped) -> None:
    def judged() -> list[dict[str, Any]] | None:
        rules = [rule for group in scraped.get("/api/v1/rules")["groups"] for rule in group["rules"]]
        return rules if rules and all(rule["health"] != "unknown" for rule in rules) else None

    assert [(rule["name"], rule["lastError"]) for rule in until(judged, "rules") if rule["health"] != "ok"] == []


@pytest.mark.parametrize("query", grafana.queries())
def test_the_dashboard_asks_what_prometheus_can_answer(scraped: Scraped, query: str) -> None:
    for variable in IN_THE_DEMO:
        query = query.replace(f"${variable}", ".*")
    assert "$" not in query
    names = set(re.findall(r"streamcheck_\w+", query))
    known = {f"{gauge.name}_total" if gauge.kind == "counter" else gauge.name for gauge in GAUGES}
    assert names <= known
    if names & {"streamcheck_limit_hits_total"} or any(word in query for word in EMPTY_IN_THE_DEMO):
        scraped.query(query)
    else:  # a rate has its first value after two scrapes
        until(lambda: scraped.query(query) or None, query)
