"""Do the compose file, the image and the scrape config fit together? Nothing is started."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamcheck.adapters.simulate.payments import LABELS, PARTITIONS, PREDICTIONS, PaymentsStream
from streamcheck.cli.demo import demo
from streamcheck.config.load import load as load_config
from streamcheck.core.types import FieldStatus
from streamcheck.runtime.decode import Decoder
from tools import grafana

ROOT = Path(__file__).parents[2]


def load(path: str) -> dict[str, Any]:
    document = yaml.safe_load((ROOT / path).read_text())
    assert isinstance(document, dict)
    return document


@pytest.fixture
def services() -> dict[str, Any]:
    found = load("docker-compose.yml")["services"]
    assert isinstance(found, dict)
    return found


def inner_ports(service: dict[str, Any]) -> set[str]:
    return {port.split(":")[-1] for port in service.get("ports", [])}


def test_images_are_pinned(services: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in services.items() if service["image"] != "streamcheck"}
    assert sorted(images) == ["alertmanager", "grafana", "kafka", "prometheus", "topics"]
    assert [image for image in images.values() if not re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", image)] == []
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert bases
    assert [base for base in bases if not re.fullmatch(r"python:3\.\d+-slim", base)] == []


def test_ports_are_published_on_the_loopback_only(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_files_and_volumes_exist(services: dict[str, Any]) -> None:
    declared = set(load("docker-compose.yml")["volumes"])
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", [])]
    assert [path for path in mounted if path.startswith(".") and not (ROOT / path).exists()] == []
    assert {path for path in mounted if not path.startswith(".")} == declared
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for path in " ".join(copied).split():
        assert (ROOT / path).exists()
        assert f"!{path.removeprefix('./')}" in ignored


def test_the_config_meets_the_services(services: dict[str, Any]) -> None:
    config = load("deploy/payments.yaml")
    assert services["streamcheck"]["command"][-1] in " ".join(services["streamcheck"]["volumes"])
    host, port = config["kafka"]["bootstrap_servers"].split(":")
    assert f"//{host}:{port}" in services[host]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert config["prometheus"]["listen"].split(":")[1] in inner_ports(services["streamcheck"])
    folders = [volume.split(":")[1] for volume in services["streamcheck"]["volumes"]]
    assert config["state"]["dir"].rsplit("/", 1)[0] in folders
    for stream in config["streams"].values():
        assert stream["topic"] in services["topics"]["command"][0]
        assert stream["topic"] in {source.topic for source in PARTITIONS}, "the producer writes others"


def test_the_producer_says_what_the_config_expects() -> None:
    loaded = load_config(ROOT / "deploy/payments.yaml")
    plan = loaded.plan
    assert plan.labels is not None
    decoders = {PREDICTIONS: Decoder(plan.predictions, plan.task), LABELS: Decoder(plan.labels, plan.task)}
    for raw in PaymentsStream(duration_ms=1_800_000).batches():
        batch = decoders[raw.source.topic].decode(raw)
        assert (batch.rejects.reasons, len(batch)) == ((), len(raw.values))
        declared = (plan.labels if raw.source.topic == LABELS else plan.predictions).columns
        assert set(batch.status[: len(declared)].flat) == {FieldStatus.OK}


def test_the_producer_starts_as_the_command_line_has_it(services: dict[str, Any]) -> None:
    command, *options = services["producer"]["command"]
    assert command == "demo"
    assert (
        f"//{options[options.index('--publish') + 1]}" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    )
    known = {name for parameter in demo.params for name in parameter.opts}
    assert [option for option in options if option.startswith("--") and option not in known] == []


def test_the_compose_file_is_one() -> None:
    done = check_schema("--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert done.returncode == 0, done.stdout


def test_a_compose_file_with_a_mistake_is_none(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text((ROOT / "docker-compose.yml").read_text().replace("restart: unless-stopped", "restarts: always"))
    assert "restarts" in check_schema("--builtin-schema", "vendor.compose-spec", str(wrong)).stdout


def check_schema(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_prometheus_and_the_health_check_find_the_service(services: dict[str, Any]) -> None:
    port = load("deploy/payments.yaml")["prometheus"]["listen"].split(":")[1]
    [job] = load("deploy/prometheus/prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"streamcheck:{port}"]}]
    assert "streamcheck" in services
    assert f"http://127.0.0.1:{port}/healthz" in (ROOT / "Dockerfile").read_text()


def test_the_service_runs_with_least_rights(services: dict[str, Any]) -> None:
    for name in ("streamcheck", "producer"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    user = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[-1]
    assert int(user) > 0


# ------------------------------------------------------------------ what Grafana reads
def test_the_dashboard_is_one_that_grafana_can_show() -> None:
    """Grafana has no schema that a test could hold it to: its model's rules that importing trips over."""
    dashboard = json.loads((ROOT / grafana.PATH).read_text())
    panels, variables = dashboard["panels"], dashboard["templating"]["list"]
    assert dashboard["schemaVersion"] >= 36, "datasources are objects since then"
    assert dashboard["uid"]
    assert "id" not in dashboard, "it is the database's"
    for ids in ([panel["id"] for panel in panels], [variable["name"] for variable in variables]):
        assert len(set(ids)) == len(ids)
    shown = [panel for panel in panels if panel["type"] != "row"]
    assert len(shown) == sum(len(row.panels) for row in grafana.ROWS)
    assert {panel["type"] for panel in shown} <= {"timeseries", "stat", "bargauge", "table", "state-timeline"}
    asking = [*shown, *(target for panel in shown for target in panel["targets"])]
    asking += [variable for variable in variables if variable["type"] == "query"]
    assert {json.dumps(each["datasource"]) for each in asking} == {json.dumps(grafana.DATASOURCE)}
    assert variables[0] | {"name": "datasource", "type": "datasource", "query": "prometheus"} == variables[0]
    for panel in shown:
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert [panel["title"] for panel in shown if not panel["title"] or len(panel["targets"]) < 1] == []


def test_panels_lie_beside_and_below_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((ROOT / grafana.PATH).read_text())["panels"]:
        at = panel["gridPos"]
        place = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not place & taken, panel["title"]
        assert at["x"] + at["w"] <= grafana.WIDTH, panel["title"]
        taken |= place


def test_every_variable_of_a_query_is_one_of_the_dashboard() -> None:
    variables = json.loads((ROOT / grafana.PATH).read_text())["templating"]["list"]
    names = {variable["name"] for variable in variables}
    asked = [*grafana.queries(), *(variable["query"]["query"] for variable in variables if variable["type"] == "query")]
    used = {name for query in asked for name in re.findall(r"\$(\w+)", query)}
    assert used <= names
    assert names - used == {"datasource"}


def test_grafana_is_given_the_dashboard_and_its_datasource(services: dict[str, Any]) -> None:
    provisioning = ROOT / "deploy/grafana/provisioning"
    (source,) = load("deploy/grafana/provisioning/datasources/" + _only(provisioning / "datasources"))["datasources"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert port in inner_ports(services[host])
    (provider,) = load("deploy/grafana/provisioning/dashboards/" + _only(provisioning / "dashboards"))["providers"]
    mounted = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert mounted["./deploy/grafana/dashboards"] == provider["options"]["path"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/{Path(grafana.PATH).name}"


def _only(folder: Path) -> str:
    (file,) = folder.glob("*.y*ml")
    return file.name
