"""A page in headless Chromium: what does it log, ask for, look like? For tests, and by hand.

python tools/browser.py REPORT.html OUT.png [--dark] [--width 1280] [--at CSS-SELECTOR]
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ANSWER_S = 400.0
FRAMES_S = 20.0
"""So long a page may go without a frame before it is woken; two come in 50 ms, on a busy machine in a few seconds."""
WAKINGS = 5
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests often run as root, in containers; the page is our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-renderer-backgrounding",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)


def chromium() -> str | None:
    """The program, where one is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page of one browser. `logged`: what its console said; `asked`: addresses that it wanted, its own aside."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        program = chromium()
        assert program is not None, "no Chromium"
        self.logged: list[str] = []
        self.asked: list[str] = []
        self._number = 0
        self._buffer = b""
        self._profile = tempfile.mkdtemp(prefix="streamcheck-browser-")
        (theirs_in, self._out), (self._in, theirs_out) = os.pipe(), os.pipe()
        # The pipe's ends must be numbers 3 and 4 in the browser.
        shell = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"'
        size = f"--window-size={width},{height}"
        command = ["/bin/bash", "-c", shell, "bash", program, *FLAGS, f"--user-data-dir={self._profile}", size]
        self._process = subprocess.Popen(
            [*command, "about:blank"], pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        os.set_blocking(self._in, False)
        pages = [t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self._session: str | None = None
        attached = self._call("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def open(self, page: Path | str, *, dark: bool = False) -> None:
        """Load a file, or a page of this machine, in light or dark, and wait until it is drawn where one looks."""
        self.scheme(dark=dark)
        self._loaded = False
        self._call("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        self._wait_for_load()
        self.settle()

    def scheme(self, *, dark: bool) -> None:
        """What the page is told of the system's colours."""
        value = "dark" if dark else "light"
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}])

    def resize(self, width: int, height: int) -> None:
        """Another window."""
        self._size = (width, height)
        metrics: dict[str, Any] = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)

    def run(self, script: str) -> Any:
        """What an expression (or its promise) comes to."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """A key of the keyboard, such as Tab or ArrowDown."""
        for kind in ("rawKeyDown", "keyUp"):
            code = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}[key]
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def settle(self) -> None:
        """Wait for two frames: what has come into view has been drawn. A page that gets none for long is woken."""
        for _ in range(WAKINGS):
            if self._frames():
                return
            self._wake()
        state = self.run("`${document.visibilityState}, ${document.readyState}, ${location}`")
        raise AssertionError(f"the browser answers, and draws no frame in {WAKINGS} x {FRAMES_S:g} s: {state}")

    def show(self, selector: str) -> None:
        """Scroll there."""
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{behavior: 'instant'}})")
        self.settle()

    def picture(self, path: Path) -> Path:
        """What the window shows, as PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))
        return path

    @contextmanager
    def behind(self) -> Iterator[None]:
        """Another page is opened before this one, which then gets no frames; it is gone afterwards."""
        other = self._call("Target.createTarget", url="about:blank")
        try:
            yield
        finally:
            self._call("Target.closeTarget", **other)

    def printed(self) -> bytes:
        """The page as PDF."""
        return base64.b64decode(self._call("Page.printToPDF", printBackground=True)["data"])

    def close(self) -> None:
        """End the browser."""
        with suppress(BrokenPipeError, AssertionError):
            self._session = None
            self._call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _frames(self) -> bool:
        """Did two frames come?"""
        frames = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50, true)))"
        drawn: bool = self.run(f"new Promise((done) => {{ setTimeout(done, {FRAMES_S * 1000}, false); {frames} }})")
        return drawn

    def _wake(self) -> None:
        """A page behind another gets no frames; nor, rarely, one whose compositor sleeps on: it wants a new size."""
        self._call("Page.bringToFront")
        width, height = self._size
        self.resize(width, height + 1)
        self.resize(width, height)

    # ------------------------------------------------------------------ the pipe
    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if method.split(".", maxsplit=1)[0] not in ("Target", "Browser"):
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._heard(answer)

    def _read(self) -> dict[str, Any]:
        end_s = time.monotonic() + ANSWER_S
        while b"\0" not in self._buffer:
            try:
                more = os.read(self._in, 1 << 20)
            except BlockingIOError:
                assert time.monotonic() < end_s, "the browser does not answer"
                time.sleep(0.01)
                continue
            assert more, "the browser has ended"
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def _wait_for_load(self) -> None:
        while not self._loaded:
            self._heard(self._read())

    def _heard(self, event: dict[str, Any]) -> None:
        params, method = event.get("params", {}), event.get("method")
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.consoleAPICalled":
            self.logged.append(f"{params['type']}: {[a.get('value', a.get('description')) for a in params['args']]}")
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.logged.append(f"exception: {details.get('exception', {}).get('description', details['text'])}")
        elif method == "Log.entryAdded":
            self.logged.append(f"{params['entry']['level']}: {params['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])


def main() -> None:
    """One picture."""
    parser = argparse.ArgumentParser(description="A picture of a page in headless Chromium.")
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--at")
    given = parser.parse_args()
    with Browser(given.width, given.height) as browser:
        browser.open(given.page, dark=given.dark)
        if given.at:
            browser.show(given.at)
        browser.picture(given.out)
        print("\n".join(browser.logged))


if __name__ == "__main__":
    main()
