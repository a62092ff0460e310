"""The peers' environment: made by the benchmark, beside the project's own, which never sees them."""

import subprocess
import sys
import venv
from functools import cache
from importlib.metadata import version
from pathlib import Path

from bench.measure import ROOT

HOME = ROOT / ".peers"
PACKAGES = {
    "confluent-kafka": "confluent-kafka",
    "quixstreams": "quixstreams==3.28.1",
    "bytewax": "bytewax==0.21.1",
}
SHARED = ("river", "orjson", "numpy")  # what all sides compute with: the same versions as here
INSTALL_S = 900


def python() -> Path:
    """The interpreter that has the peers."""
    return HOME / "bin" / "python"


@cache
def installed() -> dict[str, str]:
    """Versions of the peers that are there, installed now where they were not; loud about those that cannot be."""
    if not python().exists():
        print(f"making an environment for the peers in {HOME.name}", file=sys.stderr)
        venv.create(HOME, with_pip=True, clear=True)
    there = _versions()
    pins = [f"{name}=={version(name)}" for name in SHARED]
    if any(there.get(name) != version(name) for name in SHARED) and not _pip(*pins):
        print("NO PEERS: river and orjson could not be installed for them", file=sys.stderr, flush=True)
        return {}
    for name, requirement in PACKAGES.items():
        if name not in there and not _pip(requirement, *pins):
            print(f"WITHOUT {name}: {requirement} could not be installed", file=sys.stderr, flush=True)
    return {name: found for name, found in _versions().items() if name in PACKAGES}


def _pip(*requirements: str) -> bool:
    command = [str(python()), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *requirements]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        return False
    print(done.stderr[-2000:], end="", file=sys.stderr)
    return done.returncode == 0


def _versions() -> dict[str, str]:
    """Of everything in the environment, by name."""
    code = "import importlib.metadata as m\nfor d in m.distributions(): print(d.metadata['Name'], d.version)"
    said = subprocess.run([str(python()), "-c", code], check=True, capture_output=True, text=True).stdout
    return dict(line.split() for line in said.lower().splitlines())
