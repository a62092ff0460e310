"""Who uses a state directory? One process at a time; the lock goes with the process, however it ends."""

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from streamcheck.errors import StateError, StateLocked

LOCK_FILE = "lock"
HOLDER_BYTES_MAX = 300


class DirectoryLock:
    """Holds a directory for this process (flock: the kernel lets go of it when the process dies).

    The file also names the holder, for the message only: a stale name never locks anyone out.
    Raises StateLocked where another process holds it.
    """

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, HOLDER_BYTES_MAX, 0).decode("utf-8", "replace").strip()
            self.release()
            raise StateLocked(
                f"the state directory {directory} is in use by {holder or 'another process'}: "
                "stop that process, or give this config a state.dir of its own"
            ) from error
        except OSError as error:
            self.release()
            raise StateError(
                f"the state directory {directory} cannot be locked ({error.strerror}): "
                "put state.dir on a local disk; some network file systems have no locks"
            ) from error
        with contextlib.suppress(OSError):  # a full disk hides the holder's name, the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next process in; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SharedLock:
    """Keeps processes from starting with a directory, where none runs already; looking at it goes on all the same.

    holder: who runs with it, None where nobody does.
    """

    def __init__(self, directory: Path) -> None:
        self.holder: str | None = None
        self._descriptor = -1
        try:
            self._descriptor = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return  # nobody has ever run with it here: a copy
        except BlockingIOError:
            said = os.pread(self._descriptor, HOLDER_BYTES_MAX, 0).decode("utf-8", "replace").strip()
            self.holder = said or "another process"
            self.release()
        except OSError as error:
            self.release()
            raise StateError(f"the state directory {directory} cannot be read ({error.strerror})") from error

    def release(self) -> None:
        """Let others in; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
