"""A POST that takes no longer than it may, follows nobody, and whose failures name no secret."""

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from streamcheck.runtime.notices import NotTold

SEND_S_MAX = 10.0
ANSWER_BYTES_MAX = 64 << 10
TOO_MANY, OK_MIN, OK_MAX = 429, 200, 299


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A message goes where the config says, or nowhere."""


@cache
def _opener() -> urllib.request.OpenerDirector:
    """Made when the first message goes out: it reads all certificates that the system trusts, which takes 60 ms."""
    return urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=ssl.create_default_context()))


def post(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Send it; the answer's body, its first 64 KiB. Raises NotTold, which names the host alone: paths may be secret."""
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310 - the config takes http(s) only
    where = urlsplit(url).hostname
    try:
        with _opener().open(request, timeout=SEND_S_MAX) as answer:
            content: bytes = answer.read(ANSWER_BYTES_MAX)
            return content
    except urllib.error.HTTPError as error:
        with error:
            raise NotTold(
                f"{where} answers {error.code} {http.client.responses.get(error.code, '')}".rstrip()
            ) from None
    except urllib.error.URLError as error:
        raise NotTold(f"{where} cannot be reached ({_plain(error.reason)})") from None
    except (OSError, http.client.HTTPException) as error:
        raise NotTold(f"{where} cannot be reached ({_plain(error)})") from None


def _plain(reason: object) -> str:
    if isinstance(reason, OSError):
        return reason.strerror or type(reason).__name__
    return reason if isinstance(reason, str) else type(reason).__name__
