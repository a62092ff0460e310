"""A small file system of its own, in memory, that can be full and cannot be written when a test wants it so."""

import subprocess
from pathlib import Path

from tests.faults.moments import fill


class Disk:
    """Mounted at a path of its own; needs the right to mount."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=24m,mode=700", "streamcheck-test", str(path))

    @property
    def ballast(self) -> Path:
        """The file that takes all room while the disk is full."""
        return self.path / "ballast"

    def fill(self) -> None:
        """Until not a byte is free."""
        fill(self.ballast)

    def free(self) -> None:
        self.ballast.unlink()

    def read_only(self) -> None:
        self._mount("-o", "remount,ro", str(self.path))

    def writable(self) -> None:
        self._mount("-o", "remount,rw", str(self.path))

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)

    @staticmethod
    def _mount(*arguments: str) -> None:
        subprocess.run(["mount", *arguments], check=True, capture_output=True)
