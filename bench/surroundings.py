"""What figures depend on besides the code, and where they are kept."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.measure import ROOT

PACKAGES = ("kafka-python", "river", "numpy", "orjson", "msgspec", "crc32c")
RESULTS = ROOT / "bench" / "results"


def surroundings(peers: dict[str, str] | None = None) -> dict[str, Any]:
    """Commit, machine, versions."""
    describe = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return {
        "commit": commit,
        "cores": os.cpu_count(),
        "machine": f"{processor()}, {memory_gib():.0f} GiB",
        "python": platform.python_version(),
        "load": [round(each, 1) for each in os.getloadavg()],
        "versions": {name: version(name) for name in PACKAGES} | (peers or {}),
    }


def processor() -> str:
    """Its name, as the kernel tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def memory_gib() -> float:
    """Of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def described(around: dict[str, Any]) -> str:
    """In one line."""
    versions = ", ".join(f"{name} {number}" for name, number in around["versions"].items())
    load = ", ".join(map(str, around["load"]))
    return f"{around['cores']} cores ({around['machine']}), load {load}; Python {around['python']}; {versions}"


def keep(name: str, around: dict[str, Any], figures: dict[str, Any], out: Path | None = None) -> Path:
    """Write figures to bench/results/COMMIT/NAME.json, or where told to."""
    path = out or RESULTS / around["commit"] / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**around, **figures}, indent=1))
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    print(f"written to {shown}")
    return path
