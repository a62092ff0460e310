"""Are the Kubernetes manifest and the systemd unit valid, and do they start what the command line has?"""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from streamcheck.cli import COMMANDS
from streamcheck.cli.run import run
from streamcheck.config.load import load

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/streamcheck@.service"
VERSIONS = ("1.30", "1.33")


@pytest.fixture
def resources() -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "deploy/kubernetes/streamcheck.yaml").read_text())
    return {document["kind"]: document for document in documents}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["ConfigMap", "StatefulSet", "Service"])
def test_resources_are_valid(resources: dict[str, Any], kind: str, version: str) -> None:
    kubernetes_validate.validate(resources[kind], version, strict=True)


def test_a_mistake_in_a_resource_is_found(resources: dict[str, Any]) -> None:
    resources["StatefulSet"]["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(resources["StatefulSet"], VERSIONS[0], strict=True)


def test_the_pod_is_what_streamcheck_needs(resources: dict[str, Any], tmp_path: Path) -> None:
    spec = resources["StatefulSet"]["spec"]
    assert spec["replicas"] == 1, "a second one would be fenced off"
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    config = tmp_path / "config.yaml"
    config.write_text(resources["ConfigMap"]["data"]["config.yaml"])
    settings = load(config, {}).settings
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(Path(settings.state_dir).parent) in mounts
    assert settings.listen == ("0.0.0.0", container["ports"][0]["containerPort"])
    check_command(container["args"])
    assert Path(container["args"][-1]).parent.as_posix() in mounts
    user = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("USER")][-1]
    assert pod["securityContext"]["runAsUser"] == int(user.split()[1])
    probes = {container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert probes == {"/healthz", "/readyz"}


def check_command(arguments: list[str]) -> None:
    assert arguments[0] in COMMANDS
    known = {name for parameter in run.params for name in parameter.opts}
    assert [option for option in arguments[1:-1] if option not in known] == []


def test_the_unit_starts_what_there_is() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text())
    check_command(shlex.split(unit["Service"]["ExecStart"])[1:])
    assert unit["Service"]["RestartPreventExitStatus"].split() == ["1", "2"]


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/streamcheck/bin/streamcheck", "/bin/true"))
    done = subprocess.run([program, "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
