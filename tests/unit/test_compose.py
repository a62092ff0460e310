"""Do the compose file, the image and the scrape config fit together? Nothing is started."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent


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
    images = {name: service["image"] for name, service in services.items() if "image" in service}
    assert sorted(images) == ["kafka", "prometheus", "topics"]
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
    assert [path for path in mounted if path.startswith(".") and not (ROOT / path).is_file()] == []
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


def test_prometheus_and_the_health_check_find_the_service(services: dict[str, Any]) -> None:
    port = load("deploy/payments.yaml")["prometheus"]["listen"].split(":")[1]
    [job] = load("deploy/prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"streamcheck:{port}"]}]
    assert "streamcheck" in services
    assert f"http://127.0.0.1:{port}/healthz" in (ROOT / "Dockerfile").read_text()


def test_the_service_runs_with_least_rights(services: dict[str, Any]) -> None:
    service = services["streamcheck"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    user = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[-1]
    assert int(user) > 0
