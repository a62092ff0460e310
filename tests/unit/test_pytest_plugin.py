"""Do scenario files run under pytest, each test by its name, and are differences told as `streamcheck test` does?"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=300)


def copy(folder: Path, change: tuple[str, str] = ("", "")) -> None:
    for name in ("quickstart.yaml", "quickstart.test.yaml"):
        text = (ROOT / "configs" / name).read_text()
        (folder / name).write_text(text.replace(*change) if name.endswith("test.yaml") else text)


def test_each_scenario_is_a_test(tmp_path: Path) -> None:
    copy(tmp_path)
    done = pytest_in(tmp_path, "quickstart.test.yaml")
    assert done.returncode == 0, done.stdout
    assert "quickstart.test.yaml::" in done.stdout


def test_a_difference_is_told(tmp_path: Path) -> None:
    copy(tmp_path, ("{at: 5410s, monitor: amount", "{at: 5430s, monitor: amount"))
    done = pytest_in(tmp_path, "quickstart.test.yaml")
    assert done.returncode == 1
    assert "at differs" in done.stdout
    assert "expected {at: 5430s, monitor: amount-mean_shift" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_mistake_in_a_file_is_told(tmp_path: Path) -> None:
    copy(tmp_path, ("tests:", "tets:"))
    done = pytest_in(tmp_path, "quickstart.test.yaml")
    assert done.returncode != 0
    assert "tets" in done.stdout
