"""Wheel and source archive into dist/, checked, with a list of what they bring along (an SBOM) and their checksums.

`make release`. Made from what git knows, as it lies here; the same bytes from the same commit. The wheel is installed
into an environment of its own, without extras, and used there as a newcomer would.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUMS = "SHA256SUMS"
SMOKE = (
    ("--version",),
    ("--help",),
    ("demo", "--hours", "3", "--listen", "127.0.0.1:0"),
    ("check", "payments.yaml"),
    ("explain", "payments.yaml"),
    ("test", "payments.test.yaml"),
)
"""What must work without any extra, a broker, or a file of the project but its examples."""


class ReleaseError(Exception):
    """Something about the release is not as it should be."""


@dataclass(frozen=True, slots=True)
class Release:
    """The files of a release, in one folder."""

    wheel: Path
    archive: Path
    bom: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return self.wheel, self.archive, self.bom


def run(command: Iterable[object], where: Path, **variables: str) -> str:
    """Run a command and return what it printed; ends with all of that where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=where, capture_output=True, text=True, check=False, env=os.environ | variables, timeout=600
    )
    if done.returncode:
        raise ReleaseError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def version() -> str:
    """As pyproject.toml says; the package and the changelog must say the same."""
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if f'__version__ = "{found}"' not in (ROOT / "streamcheck" / "__init__.py").read_text():
        raise ReleaseError(f"streamcheck/__init__.py does not say that this is version {found}")
    return found


def released(changelog: str, number: str) -> bool:
    """Whether the changelog has a section with a date for this version."""
    return any(line.startswith(f"## {number} - ") for line in changelog.splitlines())


def moment() -> str:
    """Seconds since 1970 of the last commit: what goes into archives as the time of their files."""
    return run(["git", "log", "-1", "--format=%ct"], ROOT).strip()


def copy(into: Path) -> None:
    """What git knows, as it lies here."""
    for name in run(["git", "ls-files", "-z"], ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, into / name)


def build(out: Path) -> tuple[Path, Path]:
    """Wheel and source archive, the wheel made from the archive."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "streamcheck"
        copy(source)
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out]
        run(command, source, SOURCE_DATE_EPOCH=moment())
    (wheel,), (archive,) = out.glob("*.whl"), out.glob("*.tar.gz")
    pack_again(archive, int(moment()))
    run([sys.executable, "-m", "twine", "check", "--strict", wheel, archive], out)
    return wheel, archive


def pack_again(archive: Path, at: int) -> None:
    """The same archive without who made it, when, and in which order the folders were read."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(archive, folder, filter="data")
        (top,) = Path(folder).iterdir()
        with (
            gzip.GzipFile(archive, "wb", mtime=at) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as packed,
        ):
            for path in sorted(top.rglob("*")):
                if path.is_file():
                    entry = tarfile.TarInfo(str(path.relative_to(folder)))
                    entry.size, entry.mtime = path.stat().st_size, at
                    with path.open("rb") as content:
                        packed.addfile(entry, content)


def check_contents(wheel: Path, archive: Path) -> None:
    """Raise where something is missing, or there that nobody should get."""
    known = run(["git", "ls-files", "streamcheck"], ROOT).split()
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    if missing := sorted(set(known) - names):
        raise ReleaseError(f"the wheel lacks {', '.join(missing)}")
    if strange := sorted(name for name in names - set(known) if ".dist-info/" not in name):
        raise ReleaseError(f"the wheel holds {', '.join(strange)}")
    if not any(name.endswith("licenses/LICENSE") for name in names):
        raise ReleaseError("the wheel lacks its licence")
    with tarfile.open(archive) as packed:
        files = {name.partition("/")[2] for name in packed.getnames()}
    wanted = {*known, "LICENSE", "README.md", "CHANGELOG.md", "configs/payments.yaml", "docs/concepts.md"}
    if missing := sorted(wanted - files):
        raise ReleaseError(f"the source archive lacks {', '.join(missing)}")
    if strange := sorted(name for name in files if name.startswith(("tests/", "bench/", "evaluate/", "tools/", ".ci"))):
        raise ReleaseError(f"the source archive holds {', '.join(strange[:5])}, which need a checkout")


def install_bare(wheel: Path, folder: Path) -> Path:
    """The wheel in an environment of its own, with what it depends on and no extra. Returns its Python."""
    venv.create(folder, with_pip=True, clear=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "install", "--no-compile", wheel], folder)  # of numpy, scipy and river, little is imported below
    run([*pip, "check"], folder)
    return python


def use(python: Path, folder: Path) -> dict[tuple[str, ...], str]:
    """What each command of a newcomer prints; raises where one fails."""
    for name in ("payments.yaml", "payments.test.yaml"):
        shutil.copyfile(ROOT / "configs" / name, folder / name)
    return {command: run([python, "-m", "streamcheck", *command], folder) for command in SMOKE}


def bill_of_materials(python: Path, out: Path, number: str) -> Path:
    """What is installed beside the wheel, as CycloneDX 1.6, with licences and versions; no path of this machine."""
    bom = out / f"streamcheck-{number}.cdx.json"
    run([python, "-m", "pip", "--quiet", "uninstall", "--yes", "pip"], out)
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", ROOT / "pyproject.toml"]
    options = ["--short-PURLs", "--output-reproducible", "--of", "JSON", "--output-file", bom]
    run([*command, *options, python], out, SOURCE_DATE_EPOCH=moment())
    return bom


def make(out: Path) -> Release:
    """The whole release in a folder, which is emptied first."""
    number = version()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    wheel, archive = build(out)
    check_contents(wheel, archive)
    with tempfile.TemporaryDirectory() as folder:
        python = install_bare(wheel, Path(folder) / "venv")
        use(python, Path(folder))
        made = Release(wheel, archive, bill_of_materials(python, out, number))
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(made.files))
    (out / SUMS).write_text(sums)
    return made


def main() -> None:
    """Make it, and say what it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--final", action="store_true", help="refuse what is not committed, or has no date yet")
    chosen = parser.parse_args()
    try:
        if chosen.final and run(["git", "status", "--porcelain"], ROOT):
            raise ReleaseError("there are changes that are not committed")
        if chosen.final and not released((ROOT / "CHANGELOG.md").read_text(), version()):
            raise ReleaseError(f"CHANGELOG.md has no section '## {version()} - DATE'")
        made = make(chosen.out.resolve())
    except ReleaseError as error:
        sys.exit(str(error))
    for file in (*made.files, chosen.out / SUMS):
        print(f"{file.name:45} {file.stat().st_size:>9,} bytes")


if __name__ == "__main__":
    main()
