"""Do all modules keep the rules of ARCHITECTURE.md: layers, a pure core, sizes? Does each rule fire when broken?"""

import re
from pathlib import Path

import pytest

from tools.architecture import violations

ROOT = Path(__file__).parent.parent
FOLDERS = ("streamcheck", "tests", "bench", "evaluate", "tools")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_module_keeps_the_rules(path: Path) -> None:
    found = violations(path.relative_to(ROOT).as_posix(), path.read_text())
    assert not found, "\n" + "\n".join(found)


def test_every_package_stands_in_architecture_md() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    packages = {path.parent.name for path in (ROOT / "streamcheck").rglob("__init__.py")}
    assert [name for name in sorted(packages) if not re.search(rf"\b{name}\b", text)] == []


# Small modules, each after `# path | what the only finding says`, or `| fine`.
CASES = '''
# core/x.py | :1: core may not import time
import time
# core/x.py | :1: core may not import os
import os.path
# core/x.py | :2: core may not import threading
def f():
    from threading import Lock
# core/x.py | streamcheck.core.x may not import sqlite3: its home is streamcheck.adapters.sqlite
import sqlite3
# core/x.py | may not import pydantic: its home is streamcheck.config
from pydantic import BaseModel
# core/x.py | may not import click: its home is streamcheck.cli
import click
# core/x.py | may not import kafka: its home is streamcheck.adapters.kafka
from kafka.errors import KafkaError
# core/x.py | :2: core may not read the clock: datetime.now
from datetime import datetime
now = datetime.now()
# core/x.py | core may not read the clock: datetime.datetime.utcnow
import datetime
now = datetime.datetime.utcnow
# core/x.py | core may not read the clock: date.today
from datetime import date
now = date.today()
# core/x.py | :2: core may not use random.random: only seeded generators
import random
x = random.random()
# core/x.py | core may not call random.Random() without a seed
import random
x = random.Random()
# core/x.py | core may not import random.shuffle
from random import shuffle
# core/x.py | core may not use np.random.normal
import numpy as np
x = np.random.normal()
# core/x.py | core may not call np.random.default_rng() without a seed
import numpy as np
x = np.random.default_rng()
# core/x.py | core may not call open()
x = open('f')
# core/x.py | core may not call hash()
x = hash('f')
# core/x.py | core may not call print()
print('f')
# core/x.py | core may not import streamcheck.config.load; it may know streamcheck.core
from streamcheck.config import load
# core/x.py | core may not import streamcheck.runtime
from streamcheck import runtime
# core/x.py | core may not import streamcheck.runtime.ports
from ..runtime import ports
# core/x.py | may not import river: its home is streamcheck.core.detectors
import river.drift
# core/detectors/x.py | river is imported inside functions only
from river.drift import ADWIN
# config/x.py | config may not import streamcheck.runtime.loop
import streamcheck.runtime.loop
# config/x.py | config may not import streamcheck.adapters.kafka
from streamcheck.adapters import kafka
# runtime/x.py | runtime may not import streamcheck.adapters.sqlite.store.SqliteStore
from streamcheck.adapters.sqlite.store import SqliteStore
# runtime/x.py | may not import yaml: its home is streamcheck.config
import yaml
# report/x.py | report may not import streamcheck.config.load
from streamcheck.config import load
# testing.py | testing may not import streamcheck.cli.main
from streamcheck.cli import main
# errors.py | errors may not import streamcheck.core.types; it may know no other module
from streamcheck.core import types
# adapters/kafka/x.py | adapters may not import streamcheck.adapters.sqlite.store
from streamcheck.adapters.sqlite import store
# adapters/kafka/x.py | adapters may not import streamcheck.runtime.loop.Loop
from streamcheck.runtime.loop import Loop
# adapters/kafka/x.py | adapters may not import streamcheck.adapters.web.server
from ..web import server
# adapters/kafka/x.py | streamcheck may not import pickle: state is typed bytes
import pickle
# adapters/kafka/x.py | streamcheck may not use allow_pickle
import numpy as np
x = np.load('f', allow_pickle=True)
# cli/x.py | may not import kafka: its home is streamcheck.adapters.kafka
import kafka
# core/x.py | core may not iterate over a set ({1, 2}): sort it first
for x in {1, 2}: pass
# core/x.py | core may not iterate over a set (set('ab'))
x = [y for y in set('ab')]
# core/x.py | core may not iterate over a set (frozenset('ab'))
x = list(frozenset('ab'))
# core/x.py | core may not iterate over a set ({'a', 'b'})
x = ','.join({'a', 'b'})
# core/x.py | :2: core may not iterate over a set (a)
def f(a: set[str]):
    return [*a]
# core/x.py | :2: core may not iterate over a set (a.keys() - b.keys())
def f(a, b):
    for x in a.keys() - b.keys(): yield x
# core/x.py | :3: core may not iterate over a set (seen | v)
def f(v):
    seen = set()
    return sum(x for x in seen | v)
# core/x.py | :4: core may not iterate over a set (self.s)
class A:
    s: frozenset[int]
    def f(self):
        return tuple(self.s)
# core/x.py | :5: core may not iterate over a set (self.s)
class A:
    def __init__(self):
        self.s = set()
    def f(self):
        return {x: 1 for x in self.s}
# core/x.py | fine
from streamcheck import __version__
from streamcheck.core.types import Batch
from streamcheck.errors import StateError
# core/x.py | fine
import datetime, random
import numpy as np
x = random.Random(3), np.random.default_rng(3), datetime.datetime.fromtimestamp(0, datetime.UTC)
# core/x.py | fine
def f(s: set[int]):
    return sorted(x for x in s), sorted(s), len(s), 3 in s, {x for x in s}, max(s), all(x for x in s)
# core/detectors/x.py | fine
def f():
    from river.drift import ADWIN
    return ADWIN
# config/x.py | fine
import os, pathlib, pydantic, yaml
from streamcheck.core.plan import Plan
# adapters/kafka/x.py | fine
import kafka, threading, time
from streamcheck.adapters.kafka.raw import f
from streamcheck.runtime.ports import RawBatch
from .raw import g
# cli/x.py | fine
import click, rich
from streamcheck.adapters.kafka import source
from streamcheck.runtime import loop
# testing.py | fine
from streamcheck.core.engine import Engine
from streamcheck.runtime.ports import Source
'''


@pytest.mark.parametrize("case", CASES.split("\n# ")[1:])
def test_each_rule_fires(case: str) -> None:
    header, _, source = case.partition("\n")
    path, _, message = header.partition(" | ")
    found = violations("streamcheck/" + path, source)
    if message == "fine":
        assert found == []
    else:
        assert len(found) == 1
        assert f"streamcheck/{path}:" in found[0]
        assert message in found[0]


def test_sizes_fire_everywhere() -> None:
    body = "    x = 1\n"
    assert violations("tools/x.py", "def f():\n" + 69 * body) == []
    assert violations("tools/x.py", "def f():\n" + 70 * body) == ["tools/x.py:1: f has 71 lines, at most 70"]
    assert violations("tests/x.py", "x = 1\n" * 401) == ["tests/x.py:1: the file has 401 lines, at most 400"]
