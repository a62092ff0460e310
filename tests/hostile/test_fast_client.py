"""A batch that ends the process in librdkafka: does the service go on, under its supervisor?"""

import json
import os
import subprocess
import sys

from tests.conftest import needs_client
from tests.hostile import log
from tests.hostile.service import ROOT, WAIT_S

ROWS = 50
MEMORY_KIB_MAX = 3_000_000
CONFIG = """
version: 1
name: promised
kafka: {{bootstrap_servers: "{bootstrap}", client: confluent}}
start: earliest
streams: {{predictions: {{topic: promised, features: {{a: numeric}}}}}}
prometheus: {{listen: "127.0.0.1:0"}}
"""


def promise() -> bytes:
    """A snappy block that says of itself that it holds 4 GiB less one byte."""
    size, said = (1 << 32) - 1, b""
    while size >= 0x80:
        said, size = said + bytes([size & 0x7F | 0x80]), size >> 7
    return said + bytes([size]) + bytes(200)


def test_a_batch_that_ends_the_process_is_read_by_the_careful_client_of_the_next(broker, producer, tmp_path) -> None:
    """librdkafka asserts that it gets what memory it asks for; here it does not."""
    needs_client("confluent")
    configs = {"retention.ms": "-1"}
    broker.admin.create_topics({"promised": {"num_partitions": 1, "configs": configs}}, wait_for_metadata=True)
    out = producer()
    block = promise()
    for at in range(ROWS):
        out.send("promised", b'{"a": %d}' % at, partition=0)
    out.flush()
    offset = out.send("promised", log.filler(len(block)), partition=0).get(timeout=30).offset
    for at in range(ROWS):
        out.send("promised", b'{"a": %d}' % at, partition=0)
    out.flush()
    log.damage(broker.cluster.segments("promised")[-1], offset, log.armed(log.SNAPPY, block))
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG.format(bootstrap=broker.cluster.bootstrap))
    command = f"ulimit -v {MEMORY_KIB_MAX}; exec {sys.executable} -m streamcheck run {path} --until-end --json"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=WAIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "the worker ended with signal SIGABRT" in done.stderr
    assert "the worker before this one was killed: kafka-python reads" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["events"] == 2 * ROWS + 1
