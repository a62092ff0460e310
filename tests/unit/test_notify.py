"""Messages over real sockets: a webhook with template and signature, Slack's two ways, mail; and what failures say."""

import hashlib
import hmac
import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from streamcheck.adapters.notify.files import NotebookFile, SilenceFile
from streamcheck.adapters.notify.mail import MailMessenger
from streamcheck.adapters.notify.slack import SlackMessenger
from streamcheck.adapters.notify.webhook import SIGNATURE, WebhookMessenger
from streamcheck.errors import StateError
from streamcheck.runtime.notices import Notice, NotTold, Silence, notices
from streamcheck.runtime.telemetry import AlertBook

NOW_MS = 1_772_359_200_000
EVIL = 'x"}\r\nBcc: all@example.com <https://evil|click> & "quote"'


def notice(summary: str = "amount rose", state: str = "firing") -> Notice:
    told = [
        {"id": "a", "incident": "i1", "sequence": 1, "state": "firing", "monitor": "amount-scan", "owner": "risk",
         "severity": "page", "segment": {"tier": "premium"}, "column": "amount", "summary": summary,
         "change_at": "2026-03-01T09:58:40.000Z", "runbook": "https://wiki.example/x"}
    ]  # fmt: skip
    if state == "resolved":
        told.append({**told[0], "sequence": 2, "state": "resolved"})
    [found] = notices(AlertBook().after([orjson.dumps(each) for each in told]), "shop")
    return found


@dataclass
class Site:
    """What was posted: path, headers, body; answers are taken from `answers`, else 200 and {}."""

    url: str = ""
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.posts.append((self.path, dict(self.headers), body))
            status, answer = found.answers.pop(0) if found.answers else (200, b"{}")
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


# ------------------------------------------------------------------ webhook
def test_a_webhook_gets_the_records_as_published(site: Site) -> None:
    assert WebhookMessenger(f"{site.url}/hook", lambda: NOW_MS, (("X-Team", "risk"),)).tell(notice(EVIL), None) == "i1"
    [(path, headers, body)] = site.posts
    told = json.loads(body)
    assert (path, headers["X-Team"], headers["Content-Type"]) == ("/hook", "risk", "application/json")
    assert (told["incident"], told["state"], told["alerts"][0]["summary"]) == ("i1", "firing", EVIL)


def test_a_template_makes_the_body_and_values_stay_within_their_strings(site: Site) -> None:
    template = '{"text": "$state: $headline", "who": "$owner", "price": "$$5 $unknown"}'
    WebhookMessenger(site.url, lambda: NOW_MS, template=template).tell(notice(EVIL), None)
    told = json.loads(site.posts[0][2])
    assert told == {"text": f"firing: {EVIL}", "who": "risk", "price": "$5 $unknown"}


def test_a_body_is_signed_at_its_time(site: Site) -> None:
    WebhookMessenger(site.url, lambda: NOW_MS, secret="hush").tell(notice(), None)
    _, headers, body = site.posts[0]
    at, signed = (part.split("=")[1] for part in headers[SIGNATURE].split(","))
    assert int(at) == NOW_MS // 1000
    assert signed == hmac.new(b"hush", f"{at}.".encode() + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(("status", "said"), [(500, "answers 500"), (404, "answers 404"), (302, "answers 302")])
def test_an_answer_that_is_no_yes(site: Site, status: int, said: str) -> None:
    site.answers = [(status, b"no")]
    with pytest.raises(NotTold, match=said) as caught:
        WebhookMessenger(f"{site.url}/secret-path", lambda: NOW_MS).tell(notice(), None)
    assert "secret-path" not in str(caught.value)
    assert len(site.posts) == 1, "nobody is followed elsewhere"


def test_nobody_there() -> None:
    with pytest.raises(NotTold, match=r"127\.0\.0\.1 cannot be reached") as caught:
        WebhookMessenger("http://127.0.0.1:9/token-in-path", lambda: NOW_MS).tell(notice(), None)
    assert "token" not in str(caught.value)


# ------------------------------------------------------------------ slack
def test_slack_by_a_webhook(site: Site) -> None:
    SlackMessenger(f"{site.url}/services/T/B/x").tell(notice(EVIL), None)
    text = json.loads(site.posts[0][2])["text"]
    assert "firing" in text
    assert "<https://evil" not in text
    assert "<https://wiki.example/x|runbook>" in text


def test_slack_by_a_bot_edits_its_message(site: Site) -> None:
    site.answers = [(200, b'{"ok": true, "ts": "17.5"}'), (200, b'{"ok": true}')]
    bot = SlackMessenger(None, "xoxb-hush", "C1", f"{site.url}/api")
    reference = bot.tell(notice(), None)
    assert bot.tell(notice(state="resolved"), reference) == reference == "17.5"
    first, second = ((path, headers["Authorization"], json.loads(body)) for path, headers, body in site.posts)
    assert first[:2] == ("/api/chat.postMessage", "Bearer xoxb-hush")
    assert second[0] == "/api/chat.update"
    assert (second[2]["ts"], second[2]["channel"]) == ("17.5", "C1")
    assert ":large_green_circle:" in second[2]["text"]


@pytest.mark.parametrize(
    ("answer", "said"), [(b'{"ok": false, "error": "channel_not_found"}', "channel_not_found"), (b"<html>", "no JSON")]
)
def test_slack_says_no(site: Site, answer: bytes, said: str) -> None:
    site.answers = [(200, answer)]
    with pytest.raises(NotTold, match=said):
        SlackMessenger(None, "t", "C1", site.url).tell(notice(), None)


# ------------------------------------------------------------------ mail
@dataclass
class Post:
    port: int = 0
    mails: list[Message] = field(default_factory=list)
    refuse: bool = False


@pytest.fixture
def post() -> Iterator[Post]:
    """A server that speaks as much SMTP as a mail needs."""
    found = Post()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                word = line.split()[0].upper()
                if word == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (text := self.rfile.readline().decode()) != ".\r\n":
                        lines.append(text)
                    found.mails.append(message_from_string("".join(lines)))
                if word == "QUIT":
                    self.say("221 bye")
                    return
                self.say("550 no" if found.refuse and word == "RCPT" else "250 well")

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def mail(post: Post, **more: object) -> MailMessenger:
    return MailMessenger(
        ("127.0.0.1", post.port), "from@x.example", ["a@x.example", "b@x.example"], "none", None, lambda: NOW_MS
    )


def test_mails_of_an_incident_are_one_thread(post: Post) -> None:
    first = mail(post).tell(notice(EVIL), None)
    assert mail(post).tell(notice(EVIL, "resolved"), first) == first
    one, two = post.mails
    assert one["Message-ID"] == two["References"] == two["In-Reply-To"] == first
    assert two["Message-ID"] != first
    assert one["Bcc"] is None
    assert one["To"] == "a@x.example, b@x.example"
    assert "FIRING" in str(one["Subject"])
    assert "amount-scan [tier=premium]" in one.get_payload()


def test_a_mail_that_is_refused(post: Post) -> None:
    post.refuse = True
    with pytest.raises(NotTold, match="does not take it"):
        mail(post).tell(notice(), None)
    with pytest.raises(NotTold, match="cannot be reached"):
        mail(Post(9)).tell(notice(), None)


def test_starttls_is_never_left_out(post: Post) -> None:
    """A server without it gets no mail, and no password."""
    messenger = MailMessenger(
        ("127.0.0.1", post.port), "a@x.example", ["b@x.example"], "starttls", ("me", "hush"), lambda: NOW_MS
    )
    with pytest.raises(NotTold):
        messenger.tell(notice(), None)
    assert post.mails == []


# ------------------------------------------------------------------ files
def test_files_are_private_and_whole(tmp_path: Path) -> None:
    book = NotebookFile(tmp_path, "slack")
    assert book.load() is None
    book.save(b"one")
    book.save(b"two")
    assert book.load() == b"two"
    [path] = list(tmp_path.iterdir())
    assert path.stat().st_mode & 0o077 == 0


def test_silences_are_read_again_when_they_change(tmp_path: Path) -> None:
    file, reader = SilenceFile(tmp_path), SilenceFile(tmp_path)
    assert reader.read() == ()
    file.write([Silence("a", 5, "me", "x")])
    assert [each.id for each in reader.read()] == ["a"]
    file.write([Silence("b", 5, "me", "x"), Silence("c", 5, "me", "x")])
    assert [each.id for each in reader.read()] == ["b", "c"]
    (tmp_path / "silences.json").write_text("[{")
    with pytest.raises(StateError, match="does not hold silences"):
        reader.read()


def test_certificates_are_read_with_the_first_message_and_not_before() -> None:
    asked = "import ssl; ssl.create_default_context = None; import streamcheck.cli.notify_wiring"
    subprocess.run([sys.executable, "-c", asked], check=True)
