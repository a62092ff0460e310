"""A password, known to the process, that must turn up nowhere: not in logs, errors, state, pages or topics."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamcheck.cli import main
from tests.hostile.conftest import PASSWORD
from tests.hostile.service import ROOT, committed
from tests.hostile.test_security import config, needed
from tests.hostile.test_security import fill as fill  # noqa: PLC0414 - a fixture

OUTPUTS = ("alerts", "alerts.positions", "journal", "rejects", "late")
PATHS = ("/", "/metrics", "/api/alerts", "/api/status", "/healthz", "/readyz", "/nowhere")


STATE = ("state show", "state check", "state rebuild --anew")
CRASH = """
from streamcheck.runtime.silence import SilenceWatch

def heard(self, batch, now_s):
    raise RuntimeError(f"scripted, while {batch.source} was heard")

SilenceWatch.heard = heard
"""


WAYS = 4
REGISTRY = """
schema_registry: {url: "http://127.0.0.1:9", username: me, password: "${STREAMCHECK_CANARY}"}
"""
NOTIFY = """
notify:
  - {name: a, wait: 1ms, webhook: {url: "http://127.0.0.1:9/x", headers: {Authorization: "${STREAMCHECK_CANARY}"}}}
  - {name: b, wait: 1ms, webhook: {url: "http://127.0.0.1:9/x", secret: "${STREAMCHECK_CANARY}"}}
  - {name: c, wait: 1ms, slack: {token: "${STREAMCHECK_CANARY}", channel: C, api: "http://127.0.0.1:9"}}
  - name: d
    wait: 1ms
    email: {smtp: "127.0.0.1:9", sender: a@x.example, to: b@x.example, user: me, password: "${STREAMCHECK_CANARY}"}
"""


def shown(command: str, path: Path, password: str, *options: str) -> str:
    """Everything that a command prints."""
    environment = {"STREAMCHECK_CANARY": password, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "streamcheck", *command.split(), *options, str(path)],
        env=environment, capture_output=True, text=True, check=False, timeout=60, cwd=path.parent,
    )  # fmt: skip
    return done.stdout + done.stderr


def files(folder: Path) -> bytes:
    """All bytes of all files, but for the configs, which hold the variable's name."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_canary_turns_up_nowhere(broker, fill, run, tmp_path, client) -> None:
    name = f"canary-{client}"
    topic = fill(f"{name}-input")
    broker.admin.create_acls(needed(name, topic))
    text = config(broker, name, topic, client=client) + NOTIFY + REGISTRY
    service = run(text, "-v", STREAMCHECK_CANARY=PASSWORD)
    service.until(lambda: "alert firing" in service.said(), "an alert")
    service.until(lambda: service.said().count("cannot be reached") >= WAYS, "messages that do not arrive")
    service.until(lambda: 'outcome="accepted"' in service.get("/metrics")[1], "gauges")
    pages = "".join(service.get(path)[1] for path in PATHS)
    service.stop()
    path = tmp_path / "streamcheck.yaml"
    path.write_text(text)
    printed = "".join(shown(command, path, PASSWORD) for command in ("check", "explain"))
    printed += "".join(shown(command, path, PASSWORD, "--json") for command in ("check", "explain"))
    printed += "".join(shown(command, path, PASSWORD) for command in STATE)
    printed += shown(f"state export {path}", tmp_path / "all.json", PASSWORD, "--journal", "journal.jsonl")
    records = [record for output in OUTPUTS for record in committed(broker.cluster.bootstrap, f"{name}.{output}")]
    topics = b"".join((r.key or b"") + (r.value or b"") + repr(r.headers).encode() for r in records)
    assert len(records) > len(OUTPUTS)
    assert "page_hinkley" in printed
    assert "parts, 1 journal entr" in printed
    assert f"does not allow reading topic '{name}.journal'" in printed
    assert "Traceback" not in printed
    assert (tmp_path / f"state-{name}" / "state.sqlite").exists()
    assert (tmp_path / "all.json").stat().st_size > 1_000
    assert (tmp_path / "journal.jsonl").stat().st_size > 0
    assert "canary-4f" not in service.said() + pages + printed
    assert b"canary-4f" not in files(tmp_path) + topics


@pytest.mark.parametrize("verbose", [True, False])
def test_the_traceback_of_a_crash_shows_no_canary(broker, fill, run, tmp_path, verbose: bool) -> None:
    name = f"crashes-{verbose}"
    topic = fill(f"{name}-input")
    broker.admin.create_acls(needed(name, topic))
    (tmp_path / "sitecustomize.py").write_text(CRASH)
    text = config(broker, name, topic)
    more = {"STREAMCHECK_CANARY": PASSWORD, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    service = run(text, *(["-v"] if verbose else []), **more)
    assert service.ended() == 70
    assert "RuntimeError: scripted, while" in service.said()
    assert "Traceback" in service.said()
    assert "canary-4f" not in service.said()
    assert b"canary-4f" not in files(tmp_path)


@pytest.mark.parametrize("verbose", [True, False])
def test_a_wrong_canary_is_refused_without_being_shown(broker, run, tmp_path, client, verbose: bool) -> None:
    text = config(broker, "wrong", "nothing", client=client)
    service = run(text, *(["-v"] if verbose else []), STREAMCHECK_CANARY="canary-4f-wrong\x1b")
    assert service.ended() == 1
    assert "refused the login" in service.said()
    assert "canary-4f" not in service.said()
    assert b"canary-4f" not in files(tmp_path)


SETTINGS = (
    *("name", "start", "monitors", "time.pane", "alerts.topic", "alerts.owner", "state.dir", "prometheus.listen"),
    *("kafka.bootstrap_servers", "kafka.request_timeout_ms", "kafka.ssl_cafile", "kafka.security_protocol"),
    *("kafka.sasl_mechanism", "kafka.ssl_password", "kafka.proxy_url", "kafka.no_such_option", "limits.segments"),
    *(f"streams.predictions.{each}" for each in ("topic", "id", "features.amount", "segments")),
)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_variable_where_it_makes_no_sense_is_not_shown(setting: str, tmp_path) -> None:
    """A mistake or not, `check` never prints what it holds; nor does `explain` for what stands under kafka."""
    *parents, last = setting.split(".")
    top: dict[str, object] = {
        "version": 1,
        "name": "n",
        "kafka": {"bootstrap_servers": "a:1", "security_protocol": "SSL"},
        "streams": {"predictions": {"topic": "t", "id": "id", "features": {"amount": "numeric"}}},
    }
    inner: dict[str, object] = top
    for part in parents:
        inner = inner.setdefault(part, {})
    inner[last] = "${STREAMCHECK_CANARY}"
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps(top))
    for password in ("canary-4f !§ wrong", "canary-4f"):
        for command in ("check", "explain") if parents[:1] == ["kafka"] else ("check",):
            result = CliRunner().invoke(main, [command, str(path)], env={"STREAMCHECK_CANARY": password})
            assert "canary-4f" not in result.output
            assert result.exit_code in (0, 2), result.output
