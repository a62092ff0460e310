"""One contender in a process of its own: how long, how much CPU, how much memory."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SAMPLE_S = 0.1
TIMEOUT_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run took. seconds: its own count, from before it connects until its last event is done.
    cpu_s: of all its threads and children meanwhile.

    process_s: the whole life, imports included. said: what else it printed.
    """

    key: str
    events: int
    seconds: float
    cpu_s: float
    process_s: float
    peak_mb: float
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Predictions a second; each has its label."""
        return self.events / self.seconds


def measure(key: str, command: list[str], events: int) -> Figures:
    """Run it to its end. Its last line of output is JSON (contenders/task.py). Raises SystemExit with its log."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as log:
        start, peak = time.perf_counter(), 0
        process = subprocess.Popen(command, stdout=out, stderr=log, cwd=ROOT)
        try:
            while True:
                ended, status = os.waitpid(process.pid, os.WNOHANG)
                if ended:
                    break
                peak = max(peak, sum(map(peak_bytes, family(process.pid))))
                if time.perf_counter() - start > TIMEOUT_S:
                    raise SystemExit(f"{key} has not come to an end in {TIMEOUT_S:.0f} s")
                time.sleep(SAMPLE_S)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        process_s = time.perf_counter() - start
        text, told = (_text(file) for file in (out, log))
    if process.returncode != 0:
        raise SystemExit(f"{key} ended with exit code {process.returncode}\n{told[-4000:]}\n{text[-2000:]}")
    said = json.loads(text.strip().splitlines()[-1])
    return Figures(key, events, said.pop("seconds"), said.pop("cpu_s"), process_s, peak / 2**20, said)


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def peak_bytes(pid: int) -> int:
    """The most resident memory of a process so far; 0 when it has ended.

    Not ru_maxrss, which begins with the memory of the process that started it.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)
