"""Do threads take memory from one arena, once that has been asked for?"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ASKED = """
import ctypes, sys, threading
from streamcheck.runtime.allocator import one_arena
told = one_arena() if sys.argv[2] == "one" else None
held, ready = [], threading.Barrier(4)
def take():
    held.append(bytes(100_000))
    ready.wait(60)
threads = [threading.Thread(target=take) for _ in range(3)]
for thread in threads: thread.start()
ready.wait(60)
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(told)
"""


def arenas(folder: Path, how: str, **environment: str) -> tuple[str, int]:
    """What is told, and how many arenas a process with three busy threads has."""
    file = folder / "arenas.xml"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    told = subprocess.run(
        [sys.executable, "-c", ASKED, str(file), how],
        check=True, stdout=subprocess.PIPE, text=True, timeout=60, env={**inherited, **environment},
    )  # fmt: skip
    return told.stdout.strip(), file.read_text().count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas to count")
def test_threads_share_an_arena(tmp_path) -> None:
    assert arenas(tmp_path, "one") == ("True", 1)
    assert arenas(tmp_path, "none")[1] > 1
    told, count = arenas(tmp_path, "one", MALLOC_ARENA_MAX="3")  # whoever has said it himself is not overruled
    assert told == "False"
    assert 1 < count <= 3
