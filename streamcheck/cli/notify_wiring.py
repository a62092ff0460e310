"""Which tellers does a config come to?"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamcheck.adapters.notify.alertmanager import AlertmanagerTeller
from streamcheck.adapters.notify.files import NotebookFile, SilenceFile
from streamcheck.adapters.notify.mail import MailMessenger
from streamcheck.adapters.notify.slack import SlackMessenger
from streamcheck.adapters.notify.webhook import WebhookMessenger
from streamcheck.config.settings import Alertmanager, Email, Notify, Settings, Slack, Webhook
from streamcheck.errors import StreamcheckError
from streamcheck.runtime.notices import IncidentPost, Messenger, Route, Silences
from streamcheck.runtime.notifying import Notifying, Teller
from streamcheck.runtime.ports import Clock
from streamcheck.runtime.telemetry import Telemetry, segment_text

TEMPLATE_BYTES_MAX = 64 << 10


@contextmanager
def notifying(settings: Settings, config: Path, telemetry: Telemetry, clock: Clock) -> Iterator[Notifying]:
    """Tell people for as long as this lasts. config: templates lie beside it. Raises StreamcheckError."""
    directory = Path(settings.state_dir)
    tellers = [_teller(notify, config, directory, clock) for notify in settings.notify]
    silences = Silences(SilenceFile(directory).read, segment_text)
    with Notifying(tellers, silences, telemetry, clock) as told:
        yield told


def _teller(notify: Notify, config: Path, directory: Path, clock: Clock) -> Teller:
    route = Route(notify.name, notify.severities, notify.owners, notify.wait_s, notify.resolved)
    if isinstance(notify.way, Alertmanager):
        return AlertmanagerTeller(route, notify.way.url, notify.way.every_s)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return IncidentPost(route, _messenger(notify.way, config, clock), NotebookFile(directory, notify.name))


def _messenger(way: Webhook | Slack | Email, config: Path, clock: Clock) -> Messenger:
    if isinstance(way, Webhook):
        template = None if way.template is None else read_template(config.parent / way.template)
        return WebhookMessenger(way.url, clock.now_ms, way.headers, template, way.secret)
    if isinstance(way, Slack):
        return SlackMessenger(way.url, way.token, way.channel, way.api)
    login = None if way.user is None or way.password is None else (way.user, way.password)
    return MailMessenger(way.server, way.sender, way.to, way.tls, login, clock.now_ms)


def read_template(path: Path) -> str:
    """A webhook's body. Raises StreamcheckError where it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(TEMPLATE_BYTES_MAX + 1)
        if len(content) > TEMPLATE_BYTES_MAX:
            raise StreamcheckError(f"{path}: a template has at most {TEMPLATE_BYTES_MAX >> 10} KiB")
        return content.decode()
    except OSError as error:
        raise StreamcheckError(f"{path}: the template cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise StreamcheckError(f"{path}: the template is not UTF-8 text") from error
