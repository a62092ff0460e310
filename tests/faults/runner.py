"""The service as a process of its own that is harmed, and watched.

    service = Service(world)
    service.start()
    service.kill(); service.start()
    seconds = service.recovered(since)     # waits for the next commit; see own_time.py
    service.finish()                       # when the feeder has ended: to the end of the topics

A process that ends by itself where a supervisor would start it again (a signal, exit 70 or 75) is started again by
`tend`, which all waiting here calls. `supervised=True` runs the product's own supervisor instead.
"""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.own_time import OwnTime
from tests.faults.world import Feeder, World

ROOT = Path(__file__).parents[2]
LAUNCHER = Path(__file__).parent / "launch.py"
WAIT_S = 90.0
STEP_S = 0.02
LIVES_IN_VAIN_MAX = 4
"""Lives that end by themselves, one after the other, before they have committed anything: it will not recover."""
EXIT_CRASHED, EXIT_TEMPORARY = 70, 75
MUTANT, MOMENT, ONCE = "STREAMCHECK_MUTANT", "STREAMCHECK_MOMENT", "STREAMCHECK_ONCE"


class Refused(AssertionError):  # noqa: N818 - what the service did
    """The service has ended with a code that no supervisor starts again."""


class Service:
    """One service over all its lives. mutant: a broken variant of it (see mutants/)."""

    def __init__(
        self, world: World, feeder: Feeder | None = None, *, mutant: str = "", supervised: bool = False
    ) -> None:
        self.world = world
        self.feeder = feeder
        self.mutant = mutant
        self.supervised = supervised
        self.lives = 0
        self.codes: list[int] = []
        """How lives ended."""
        self.process: subprocess.Popen[bytes] | None = None
        self._zombies: list[subprocess.Popen[bytes]] = []
        self._workers: list[int] = []
        self._known, self._vain = b"", 0
        self._clock = OwnTime()
        self._log = world.folder / "log"
        self._config = world.config

    # ------------------------------------------------------------------ lives
    def start(self, moment: str = "", options: Sequence[str] = ()) -> None:
        """Begin a life. moment: where it kills itself (see moments.py), as `after-commit:3`."""
        assert self.process is None or self.process.poll() is not None, "it runs"
        self._config = self.world.config
        environment = {**os.environ, "PYTHONPATH": str(ROOT), MUTANT: self.mutant, MOMENT: moment}
        environment[ONCE] = str(self.world.folder / "once")
        plain = not self.mutant and not moment
        command = [sys.executable, *(("-m", "streamcheck") if plain else (str(LAUNCHER),)), "run", str(self._config)]
        command += [*options, *(() if self.supervised else ("--no-supervise",))]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.world.folder, env=environment, stdout=log, stderr=log)
        self.lives += 1

    def kill(self) -> float:
        """SIGKILL to the worker; the moment (see `now`)."""
        process = self._running()
        process.kill()
        process.wait()
        self.codes.append(process.returncode)
        return self.now()

    def kill_worker(self) -> float:
        """SIGKILL to the child of the product's supervisor."""
        assert self.supervised, "there is no supervisor"
        os.kill(self.worker(), signal.SIGKILL)
        return self.now()

    def worker(self) -> int:
        """The process id of the supervisor's child, once there is one."""
        found: list[int] = self.until(self._children, "a worker")
        self._workers.append(found[0])
        return found[0]

    def kill_decoder(self, which: int) -> float:
        """SIGKILL to one of the processes that decode; the moment."""
        assert self.world.workers > 1, "it decodes by itself"
        found: list[int] = self.until(
            lambda: decoders if len(decoders := self._children()) == self.world.workers else [], "all its decoders"
        )
        os.kill(found[which], signal.SIGKILL)
        return self.now()

    def _children(self) -> list[int]:
        running = self._running().pid
        with suppress(FileNotFoundError, ProcessLookupError):
            return [int(each) for each in Path(f"/proc/{running}/task/{running}/children").read_text().split()]
        return []

    def alone(self, worker: int) -> bool:
        """Whether a worker of this service still runs; its supervisor may be gone."""
        try:
            return str(self._config) in Path(f"/proc/{worker}/cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False

    def frozen(self) -> None:
        """Wait until it has frozen itself at its moment."""
        status = Path(f"/proc/{self._running().pid}/stat")
        self.until(lambda: status.read_text().rpartition(")")[2].split()[0] == "T", "the moment to freeze at")

    def succeed(self, directory: Path) -> "subprocess.Popen[bytes]":
        """Leave the process as it is, a zombie, and begin a life on a copy of its state, as on another machine."""
        zombie = self._running()
        shutil.copytree(self.world.state_dir, directory)
        self.world = replace(self.world, state=directory)
        self._zombies.append(zombie)
        self.process = None
        self.start()
        return zombie

    def signal(self, number: int) -> float:
        """Any signal; the moment."""
        self._running().send_signal(number)
        return self.now()

    def stop(self, limit_s: float = WAIT_S) -> float:
        """SIGTERM; how many seconds it took. It must end well."""
        began = self.signal(signal.SIGTERM)
        code = self.ended(limit_s)
        if code != 0:
            raise Refused(f"exit {code} after SIGTERM:\n{self.said()}")
        return self.now() - began

    def tend(self) -> None:
        """Start it again where it has ended and a supervisor would. Raises Refused where a person would have to act."""
        process = self._running()
        code = process.poll()
        if code is None:
            return
        self.codes.append(code)
        now = self.commit()
        self._vain = self._vain + 1 if now == self._known else 0
        self._known = now
        if self._vain >= LIVES_IN_VAIN_MAX:
            raise Refused(f"{self._vain} lives in a row without a commit, exit {code}:\n{self.said()}")
        if code < 0 or code in (EXIT_CRASHED, EXIT_TEMPORARY):
            self.start()
            return
        raise Refused(f"ended with exit {code}:\n{self.said()}")

    def dies(self, limit_s: float = WAIT_S) -> float:
        """Wait until it has killed itself at its moment; when that was."""
        code = self.ended(limit_s)
        if code != -signal.SIGKILL:
            raise Refused(f"ended with {code} instead of dying at its moment:\n{self.said()}")
        return self.now()

    def ended(self, limit_s: float = WAIT_S) -> int:
        """Wait for the end of this life; its exit code (negative: a signal)."""
        process, deadline = self._running(), self.now() + limit_s
        while (code := process.poll()) is None:
            assert self.now() < deadline, f"waited in vain for its end:\n{self.said()}"
            time.sleep(STEP_S)
        self.codes.append(code)
        return code

    def finish(self) -> None:
        """To the end of the topics, with nothing left to be delivered. Raises Refused."""
        self.close()
        supervised, self.supervised = self.supervised, False
        self.start(options=("--until-end",))
        self.supervised = supervised
        for _ in range(LIVES_IN_VAIN_MAX):
            code = self.ended()
            if code >= 0 and code not in (EXIT_CRASHED, EXIT_TEMPORARY):
                break
            self.start(options=("--until-end",))
        if code != 0:
            raise Refused(f"exit {code} at the end:\n{self.said()}")

    def close(self) -> None:
        """End it, whatever it does, and what it has left behind."""
        for process in (self.process, *self._zombies):
            if process is None or process.poll() is not None:
                continue
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            self._workers += map(int, children)
            process.kill()
            process.wait()
        for worker in self._workers:
            if self.alone(worker):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)

    # ------------------------------------------------------------------ watching
    def now(self) -> float:
        """Seconds of its own time; all that is measured here is."""
        process = self.process
        if process is not None and process.poll() is None:
            self._clock.watch([process.pid, *(self._children() if self.supervised else ())])
        return self._clock.now()

    def said(self) -> str:
        """The end of what all lives have said."""
        return self._log.read_text(errors="replace")[-6_000:]

    def told(self, text: str) -> bool:
        """Whether any life has said this."""
        return text in self._log.read_text(errors="replace")

    def until(self, condition: Callable[[], Any], what: str, limit_s: float = WAIT_S) -> Any:
        """Wait for something, tending the service."""
        deadline = self.now() + limit_s
        while not (found := condition()):
            self.tend()
            if self.feeder is not None:
                self.feeder.check()
            assert self.now() < deadline, f"waited in vain for {what}:\n{self.said()}"
            time.sleep(STEP_S)
        return found

    def commit(self) -> bytes:
        """A fingerprint of what was committed last; it changes with each commit of the engine. b"" without a state."""
        path = self.world.state_dir / "state.sqlite"
        if not path.exists():
            return b""
        try:
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
            try:
                row = connection.execute("SELECT checksum FROM state WHERE key = 'engine'").fetchone()
            finally:
                connection.close()
        except sqlite3.OperationalError:  # the tables are being made
            return b""
        return bytes(row[0]) if row else b""

    def committed(self, times: int = 1) -> None:
        """Wait for so many commits from now on."""
        for _ in range(times):
            before = self.commit()
            self.until(lambda before=before: self.commit() != before, "a commit")

    def recovered(self, since: float, before: bytes | None = None, limit_s: float = WAIT_S) -> float:
        """Seconds from `since` to the next commit. before: the commit known then; left out: that of now."""
        known = self.commit() if before is None else before
        self.until(lambda: self.commit() != known, "a commit after the fault", limit_s)
        return self.now() - since

    def longest_wait(self, fault: Callable[[], object]) -> float:
        """The longest time without a commit from the beginning of a fault to the first commit after its end."""
        doing = threading.Thread(target=fault, name="fault", daemon=True)
        doing.start()
        known, longest, since = self.commit(), 0.0, self.now()

        def commit_after_the_end() -> bool:
            nonlocal known, longest, since
            over, now = not doing.is_alive(), self.now()
            longest = max(longest, now - since)
            if (found := self.commit()) == known:
                return False
            known, since = found, now
            return over

        self.until(commit_after_the_end, "a commit after the fault", 2 * WAIT_S)
        return longest

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None, "it was never started"
        return self.process
