"""What does a run do whose installation lacks a codec, at topics that need it?"""

import json
import subprocess

import pytest

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize(
    ("codec", "module", "package"),
    [("zstd", "zstandard", "zstandard"), ("lz4", "lz4", "lz4"), ("snappy", "snappy", "python-snappy")],
)
def test_a_missing_codec_package_is_named_and_nothing_is_passed(world, producer, codec, module, package) -> None:
    """Under its supervisor: no crash loop, no event given up as a reject, and all is read once it is there."""
    world.run()
    before = world.json("show")
    out = producer(compression_type=codec)
    out.send(world.events, b'{"id": "compressed", "amount": 10, "tier": "general"}', partition=0).get(10)
    broken = world.folder / "broken"
    broken.mkdir()
    (broken / f"{module}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{module}'\", name='{module}')")
    command, environment = world.command("run", "config.yaml", "--until-end")
    environment["PYTHONPATH"] = f"{broken}:{environment['PYTHONPATH']}"
    done = subprocess.run(
        command, cwd=world.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count(f"Error: streamcheck is not installed completely (No module named '{module}')") == 1
    assert done.stderr.rstrip().endswith(f"pip install {package}")
    assert "Traceback" not in done.stderr
    assert world.json("show") == before
    read_again = 3_000 - sum(p["position"] for p in before["partitions"])
    assert json.loads(world.run("--json").splitlines()[0])["events"] == read_again + 1
