"""Is what users install whole, what it says it is, and enough by itself?"""

import email
import hashlib
import json
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from streamcheck import __version__
from tests.test_no_pickle import findings
from tools import release

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_wheel_is_free_of_the_pickle_family(made: release.Release) -> None:
    with zipfile.ZipFile(made.wheel) as packed:
        names = packed.namelist()
        modules = [name for name in names if name.endswith(".py")]
        assert len(modules) > 100
        assert [each for name in modules for each in findings(packed.read(name), name)] == []
    kinds = {Path(name).suffix for name in names if not name.endswith("/") and ".dist-info/" not in name}
    assert kinds <= {".py", ".typed", ".yaml", ".json", ".html", ".css", ".js"}, "nothing compiled, nothing serialised"


def test_the_wheel_says_what_it_is(made: release.Release) -> None:
    with zipfile.ZipFile(made.wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        told = email.message_from_bytes(packed.read(name))
    assert told["Name"] == "streamcheck"
    assert told["Version"] == PROJECT["version"] == __version__
    assert told["License-Expression"] == "Apache-2.0"
    assert told["Requires-Python"] == ">=3.11"
    assert "Attach it to your topic" in told.get_payload()


def test_the_list_of_materials_names_every_dependency(made: release.Release) -> None:
    text = made.bom.read_text()
    bom = json.loads(text)
    listed = {part["name"].lower().replace("_", "-"): part for part in bom["components"]}
    wanted = {line.partition("=")[0].rstrip("<>~!").strip().lower() for line in PROJECT["dependencies"]}
    assert wanted <= set(listed)
    assert bom["metadata"]["component"]["name"] == "streamcheck"
    assert bom["metadata"]["component"]["version"] == __version__
    assert listed["river"]["version"] == "0.26.1"
    assert [name for name, part in listed.items() if not part.get("licenses") and name != "streamcheck"] == []
    assert str(Path.home()) not in text
    assert "file://" not in text


def test_checksums_match(made: release.Release) -> None:
    lines = (made.wheel.parent / release.SUMS).read_text().splitlines()
    assert len(lines) == len(made.files)
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((made.wheel.parent / name).read_bytes()).hexdigest() == digest


def test_the_same_tree_gives_the_same_bytes(made: release.Release, tmp_path: Path) -> None:
    for file, again in zip((made.wheel, made.archive), release.build(tmp_path), strict=True):
        assert hashlib.sha256(file.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest(), file.name


def test_a_wheel_that_lacks_something_is_refused(made: release.Release, tmp_path: Path) -> None:
    broken = tmp_path / made.wheel.name
    with zipfile.ZipFile(made.wheel) as packed, zipfile.ZipFile(broken, "w") as copy:
        for name in packed.namelist():
            if not name.endswith("page.css"):
                copy.writestr(name, packed.read(name))
    with pytest.raises(release.ReleaseError, match=r"lacks .*page\.css"):
        release.check_contents(broken, made.archive)


def test_a_wheel_with_something_else_is_refused(made: release.Release, tmp_path: Path) -> None:
    strange = tmp_path / made.wheel.name
    strange.write_bytes(made.wheel.read_bytes())
    with zipfile.ZipFile(strange, "a") as packed:
        packed.writestr("streamcheck/notes.txt", "x")
    with pytest.raises(release.ReleaseError, match=r"holds streamcheck/notes\.txt"):
        release.check_contents(strange, made.archive)


def test_an_archive_with_tests_is_refused(made: release.Release, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text("")
    strange = tmp_path / "strange.tar.gz"
    with tarfile.open(made.archive) as packed, tarfile.open(strange, "w:gz") as copy:
        for entry in packed.getmembers():
            copy.addfile(entry, packed.extractfile(entry))
        copy.add(tmp_path / "tests" / "test_x.py", "streamcheck-0/tests/test_x.py")
    with pytest.raises(release.ReleaseError, match="which need a checkout"):
        release.check_contents(made.wheel, strange)


def test_a_changelog_without_the_version_is_no_release() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert not release.released(text, "99.0.0")
    assert release.released("## 99.0.0 - 2026-01-01\n" + text, "99.0.0")


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(release.ReleaseError, match="failed"):
        release.run(["python3", "-c", "raise SystemExit(3)"], tmp_path)
