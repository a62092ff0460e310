"""A schema registry over HTTP, by Confluent's REST interface.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html. A registry that is away rejects no event:
it is waited for, with back-off, and when it does not come back the process ends, as a restart is always safe. Only a
registry's own "there is no such schema" is an answer.
"""

import base64
import http.client
import json
import logging
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from streamcheck.errors import RegistryUnavailable, SourceError
from streamcheck.runtime.schemas import WriterSchema

log = logging.getLogger(__name__)

ANSWER_S_MAX = 5.0
DEADLINE_S = 30.0
"""How long a registry is waited for: less than the minute after which those who wait for this process give it up."""
BACK_OFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
ANSWER_BYTES_MAX = 4 << 20
REFERENCES_MAX = 200
NO_SUCH_SCHEMA = 40_403
"""error_code of Confluent's registry, and of those that speak its language."""
_AVRO, _PROTOBUF = "AVRO", "PROTOBUF"
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY, _SERVER = 401, 403, 404, 429, 500


class _Away(Exception):  # noqa: N818 - what was found, never seen outside
    """It did not answer, or not now; carries why, without secrets."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A password goes where the config says, or nowhere."""


class HttpRegistry:
    """A runtime.ports.Registry. ca_file: what its certificate is checked by; None: the system's certificates.

    deadline_s: how long it may not answer before that is an error.
    """

    def __init__(
        self,
        url: str,
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        *,
        deadline_s: float = DEADLINE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url, self._where = url.rstrip("/"), urlsplit(url).hostname or ""
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if username is not None:
            login = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SourceError(f"schema_registry.ca_file: {ca_file}: {_plain(error)}") from error
        self._open = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context)).open
        self._deadline_s, self._sleep = deadline_s, sleep

    def schema(self, number: int) -> WriterSchema | None:
        """The schema of this number. Waits; raises RegistryUnavailable, SourceError."""
        found = self._get(f"/schemas/ids/{number}")
        if found is None:
            return None
        kind = str(found.get("schemaType") or _AVRO)
        if kind not in (_AVRO, _PROTOBUF):
            return WriterSchema(kind, b"")
        serialized = kind == _PROTOBUF
        if serialized:
            found = self._get(f"/schemas/ids/{number}?format=serialized") or found
        references: dict[str, bytes] = {}
        self._collect(found, references, serialized=serialized)
        return WriterSchema(kind, self._content(found, serialized=serialized), tuple(references.items()))

    def _collect(self, schema: dict[str, Any], into: dict[str, bytes], *, serialized: bool, depth: int = 0) -> None:
        """What a schema refers to, by name, each after what it refers to itself."""
        for reference in schema.get("references") or ():
            name, subject, version = (reference.get(key) for key in ("name", "subject", "version"))
            if name in into:
                continue
            if len(into) >= REFERENCES_MAX or depth >= REFERENCES_MAX:
                raise SourceError(
                    f"the schema registry at {self._where}: a schema with over {REFERENCES_MAX} references"
                )
            query = "?format=serialized" if serialized else ""
            found = self._get(f"/subjects/{quote(str(subject), safe='')}/versions/{int(version)}{query}")
            if found is None:
                raise SourceError(
                    f"the schema registry at {self._where} has no {subject}, to which one of its schemas refers"
                )
            self._collect(found, into, serialized=serialized, depth=depth + 1)
            into[str(name)] = self._content(found, serialized=serialized)

    def _content(self, schema: dict[str, Any], *, serialized: bool) -> bytes:
        content = str(schema.get("schema") or "")
        if serialized and not _is_base64(content):
            raise SourceError(
                f"the schema registry at {self._where} does not hand out Protobuf schemas with format=serialized; "
                "write format: {protobuf: {descriptor: FILE, message: NAME}} for records without its prefix"
            )
        return content.encode()

    def _get(self, path: str) -> dict[str, Any] | None:
        """An answer, waited for; None where the registry knows nothing of that name."""
        began, tries = time.monotonic(), 0
        while True:
            try:
                found = self._ask(path)
            except _Away as away:
                waited_s = time.monotonic() - began
                if waited_s > self._deadline_s:
                    raise RegistryUnavailable(
                        f"the schema registry at {self._where} has not answered for {waited_s:.0f} s ({away}); no "
                        "event is rejected for that: start again when it does"
                    ) from None
                if not tries:
                    log.warning("the schema registry at %s: %s (waiting for it; said once)", self._where, away)
                self._sleep(BACK_OFF_S[min(tries, len(BACK_OFF_S) - 1)])
                tries += 1
            else:
                if tries:
                    log.info("the schema registry at %s answers again", self._where)
                return found

    def _ask(self, path: str) -> dict[str, Any] | None:
        request = urllib.request.Request(self._url + path, headers=self._headers)  # noqa: S310 - the config takes http(s) only
        try:
            with self._open(request, timeout=ANSWER_S_MAX) as answer:
                content: bytes = answer.read(ANSWER_BYTES_MAX + 1)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error.code, error.read(ANSWER_BYTES_MAX))
            return None
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            raise _Away(_plain(getattr(error, "reason", error))) from None
        found = _json(content)
        if not isinstance(found, dict) or "schema" not in found:
            raise _Away("it answers, but not as a schema registry does")
        return found

    def _refused(self, code: int, content: bytes) -> None:
        """Returns where that means that there is no such schema; raises what else it means."""
        said = _json(content)
        if code == _NOT_FOUND and isinstance(said, dict) and said.get("error_code") == NO_SUCH_SCHEMA:
            return
        status = f"{code} {http.client.responses.get(code, '')}".rstrip()
        if code in (_UNAUTHORIZED, _FORBIDDEN):
            raise SourceError(f"the schema registry at {self._where} answers {status}: look at username and password")
        if code >= _SERVER or code == _TOO_MANY:
            raise _Away(f"it answers {status}")
        raise SourceError(f"the schema registry at {self._where} answers {status}: look at schema_registry.url")


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if len(content) <= ANSWER_BYTES_MAX else None
    except (ValueError, RecursionError):
        return None


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _plain(reason: object) -> str:
    if isinstance(reason, OSError):
        return reason.strerror or type(reason).__name__
    return reason if isinstance(reason, str) else type(reason).__name__
