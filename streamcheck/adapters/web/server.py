"""Who may ask, how much, how long? A small HTTP server in its own threads; it reads snapshots and can delay nobody.

GET and HEAD only (and POST of one small form, where the config takes orders), one request per connection, at most
HANDLERS_MAX at a time; a client has HEAD_S_MAX to ask, form and all, and REPLY_S_MAX to take the answer.
"""

import contextlib
import errno
import io
import logging
import socket
import socketserver
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from streamcheck.adapters.web.desk import FORM_BYTES_MAX
from streamcheck.adapters.web.renderings import Response
from streamcheck.adapters.web.routes import TEXT, Routes
from streamcheck.errors import ConfigError, Mistake

HANDLERS_MAX = 16
HEAD_S_MAX = 5.0
REPLY_S_MAX = 20.0
LINE_BYTES_MAX = 4_096
HEAD_BYTES_MAX = 16_384
"""Request line and headers; with HANDLERS_MAX clients that is 256 KiB."""

CLOSE_S = 0.01
DRAIN_S_MAX = 1.0
DRAIN_BYTES_MAX = 1_048_576

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
    ("Connection", "close"),
)

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"

log = logging.getLogger(__name__)


class WebServer:
    """Serves `routes` at host and port (0: any free one, see `address`) from `start` to `close`.

    Raises ConfigError, naming `prometheus.listen`, where the address cannot be had.
    """

    def __init__(self, host: str, port: int, routes: Routes) -> None:
        try:
            self._server = _Server(host, port, routes)
        except OSError as error:
            raise ConfigError((Mistake("prometheus.listen", _refusal(host, port, error)),)) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="web", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port as bound."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host, port = self.address
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more; requests under way end with the process."""
        if self._thread.is_alive():
            threading.Thread(target=self._server.shutdown, daemon=True).start()
        while self._thread.is_alive():  # it looks up ten times a second, and when somebody comes
            with contextlib.suppress(OSError):
                socket.create_connection(self.address, CLOSE_S).close()
            self._thread.join(CLOSE_S)
        self._server.server_close()


def _refusal(host: str, port: int, error: OSError) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another process: stop it, or listen on another port"
    if error.errno == errno.EACCES:
        return f"{where} is not allowed to this user: listen on a port above 1023"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{host} is no address of this machine: 127.0.0.1 serves this machine only, 0.0.0.0 everyone"
    return f"cannot listen on {where} ({error.strerror or error})"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 32

    def __init__(self, host: str, port: int, routes: Routes) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.routes = routes
        self.free = threading.BoundedSemaphore(HANDLERS_MAX)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server who we are."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand over to a thread, or say that all are busy."""
        if not self.free.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.settimeout(0)
                request.send(BUSY)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self.free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """A client that went away is its own affair."""
        log.debug("%s: the connection broke", client_address, exc_info=True)


class _Fault(Exception):  # noqa: N818 - an answer
    """What is wrong with a form."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "streamcheck"
    sys_version = ""
    server: _Server

    def setup(self) -> None:
        """Read the whole head first, within its limits, so that a slow client costs a thread for HEAD_S_MAX at most."""
        super().setup()
        self.drain = False
        self.deadline_s = time.monotonic() + HEAD_S_MAX
        self.head, self.fault = _read_head(self.connection, self.deadline_s)
        self.rfile = io.BufferedReader(io.BytesIO(self.head))
        self.connection.settimeout(REPLY_S_MAX)

    def handle(self) -> None:
        """One request, one answer."""
        self.close_connection = True
        self.requestline, self.request_version, self.command = "", self.protocol_version, ""
        if self.fault is not None:
            self.send_error(self.fault)
            return
        self.raw_requestline = self.rfile.readline(LINE_BYTES_MAX + 1)
        if len(self.raw_requestline) > LINE_BYTES_MAX:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        if not self.raw_requestline or not self.parse_request():
            return
        posted = self.command == "POST" and self.server.routes.takes_orders
        if self.command not in ("GET", "HEAD") and not posted:
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
            return
        try:
            response = self._posted() if posted else self._got()
        except _Fault as fault:
            self.send_error(fault.status)
            return
        except Exception:
            log.exception("%r could not be answered", self.path.partition("?")[0])
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        self._reply(response)

    def _got(self) -> Response:
        known = self.headers.get("If-None-Match", "")
        return self.server.routes.answer(self.path, self.headers.get("Accept", ""), known)

    def _posted(self) -> Response:
        """A form: its length is said beforehand, and it comes within the time that is left for asking."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or self.headers.get("Transfer-Encoding") is not None:
            raise _Fault(HTTPStatus.LENGTH_REQUIRED)
        if int(length) > FORM_BYTES_MAX:
            raise _Fault(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = self.rfile.read(int(length))
        while len(body) < int(length):
            left_s = self.deadline_s - time.monotonic()
            if left_s <= 0:
                raise _Fault(HTTPStatus.REQUEST_TIMEOUT)
            self.connection.settimeout(left_s)
            try:
                received = self.connection.recv(int(length) - len(body))
            except TimeoutError:
                raise _Fault(HTTPStatus.REQUEST_TIMEOUT) from None
            if not received:
                raise _Fault(HTTPStatus.BAD_REQUEST)
            body += received
        self.connection.settimeout(REPLY_S_MAX)
        return self.server.routes.order(self.path, {name.title(): text for name, text in self.headers.items()}, body)

    def finish(self) -> None:
        """After a refusal take in what the client still sends, else it would see a reset in place of the answer."""
        super().finish()
        if self.drain:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_WR)
                _drain(self.connection)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """A plain answer that repeats nothing of the request."""
        status = HTTPStatus(code)
        self.drain = True
        self.request_version = self.protocol_version  # whatever was asked in: the answer has headers
        self._reply(Response(status, TEXT, f"{status.value} {status.phrase}\n".encode()))

    def _reply(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in HEADERS:
            self.send_header(name, value)
        if response.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if response.location is not None:
            self.send_header("Location", response.location)
        if response.etag is not None:
            self.send_header("ETag", response.etag)
        if response.status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's signature
        """Requests are for debugging only."""
        log.debug("%s %r", self.address_string(), format % args)


def _read_head(connection: socket.socket, deadline_s: float) -> tuple[bytes, HTTPStatus | None]:
    """Request line and headers, and what is wrong with them; empty where the client left without a word."""
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        if b"\n" not in head[:LINE_BYTES_MAX] and len(head) >= LINE_BYTES_MAX:
            return head, HTTPStatus.REQUEST_URI_TOO_LONG
        if len(head) >= HEAD_BYTES_MAX:
            return head, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return head, HTTPStatus.REQUEST_TIMEOUT
        connection.settimeout(left_s)
        try:
            received = connection.recv(HEAD_BYTES_MAX - len(head))
        except TimeoutError:
            return head, HTTPStatus.REQUEST_TIMEOUT
        if not received:
            return b"", None
        head += received
    return head, None


def _drain(connection: socket.socket) -> None:
    deadline_s = time.monotonic() + DRAIN_S_MAX
    received = 0
    while received < DRAIN_BYTES_MAX and (left_s := deadline_s - time.monotonic()) > 0:
        connection.settimeout(left_s)
        read = len(connection.recv(65_536))
        if not read:
            return
        received += read
