"""Can a package offer components of its own? One is installed from the blocks of docs/plugins.md, and used."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "plugins.md").read_text()
CONFIG = """
version: 1
name: shop
streams: {predictions: {topic: p, time: {field: ts, unit: ms}, features: {amount: numeric}}}
reference: {first: 1h}
monitors:
  - {name: amount-alone, on: amount, detector: shewhart}
"""
SCENARIO = """
version: 1
config: shop.yaml
tests:
  - name: one pane is far away
    predictions:
      - 5400x every 1s: amount normal(100, 15)
      - 10x every 1s: amount normal(300, 15)
      - 600x every 1s: amount normal(100, 15)
    alerts:
      - {at: 5410s, monitor: amount-alone, resolved: 5710s}
"""


def blocks() -> tuple[str, str]:
    """The plug-in and its test, as the page has them."""
    plugin, test = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return plugin, test


@dataclass(frozen=True)
class Place:
    """A folder from which Python imports, as site-packages is."""

    folder: Path

    def install(self, package: str, module: str, text: str) -> None:
        (self.folder / f"{module}.py").write_text(text)
        info = self.folder / f"{package.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[streamcheck.components]\nshop = {module}\n")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.folder), str(ROOT)])
        command = [sys.executable, "-m", *words]
        return subprocess.run(
            command, cwd=self.folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
        )

    def streamcheck(self, *words: str) -> str:
        done = self.run("streamcheck", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "shop.yaml").write_text(CONFIG)
    (tmp_path / "shop.test.yaml").write_text(SCENARIO)
    return Place(tmp_path)


@pytest.fixture
def installed(place: Place) -> Place:
    place.install("shop-detectors", "shop_detectors", blocks()[0])
    return place


def test_it_is_listed_with_its_package(installed: Place) -> None:
    told = json.loads(installed.streamcheck("list", "detectors", "--json"))
    listed = {each["name"]: each for each in told["detectors"]}
    assert listed["shewhart"]["from"] == "shop-detectors 1.2"
    assert "from" not in listed["cusum"]
    assert "(shop-detectors 1.2)" in installed.streamcheck("list", "detectors")


def test_configs_and_editors_know_it(installed: Place) -> None:
    installed.streamcheck("check", "shop.yaml")
    assert "shewhart" in installed.streamcheck("schema")
    (installed.folder / "wrong.yaml").write_text(CONFIG.replace("shewhart", "{shewhart: {g: 3}}"))
    done = installed.run("streamcheck", "check", "wrong.yaml")
    assert done.returncode == 2
    assert "unknown parameter of detector shewhart 'g'" in done.stdout + done.stderr


def test_it_alarms(installed: Place) -> None:
    installed.streamcheck("test", "shop.test.yaml")


def test_it_keeps_the_contract(installed: Place) -> None:
    (installed.folder / "test_shop.py").write_text(blocks()[1])
    done = installed.run("pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(installed.folder), "test_shop.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d\d passed", done.stdout)


def test_one_that_breaks_the_contract_is_caught(place: Place) -> None:
    """A detector that forgets its threshold when it is restored."""
    plugin, test = blocks()
    broken = plugin.replace('self.limit = state["limit"]', "self.limit = 99.0")
    assert broken != plugin
    place.install("shop-detectors", "shop_detectors", broken)
    (place.folder / "test_shop.py").write_text(test)
    done = place.run("pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(place.folder), "test_shop.py")
    assert done.returncode == 1
    assert "test_restored_mid_stream_equals_uninterrupted" in done.stdout


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        (blocks()[0].replace("class Shewhart", "class Cusum"), "detector cusum is registered twice"),
    ],
)
def test_one_that_cannot_be_loaded_is_named(place: Place, text: str, reason: str) -> None:
    place.install("shop-detectors", "shop_detectors", text)
    for words in (("list",), ("check", "shop.yaml"), ("schema",)):
        done = place.run("streamcheck", *words)
        assert done.returncode in {1, 2}, words
        assert "the plug-in 'shop' of shop-detectors 1.2 cannot be loaded" in done.stderr, words
        assert reason in done.stderr
        assert "Traceback" not in done.stderr
