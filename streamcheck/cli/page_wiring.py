"""Who takes the orders of the status page, and where do they go? Into the same files as those of the commands."""

from collections.abc import Sequence
from pathlib import Path

import orjson

from streamcheck.adapters.notify.files import SilenceFile
from streamcheck.adapters.sqlite.orders import OrderFolder
from streamcheck.adapters.web.desk import Clerk, Desk
from streamcheck.config.settings import Settings
from streamcheck.core.orders import Acknowledge, told
from streamcheck.runtime.clock import WallClock
from streamcheck.runtime.notices import Silence


def desk(settings: Settings, config: str) -> Desk:
    """The page's desk; config: as commands name it."""
    directory, clock = Path(settings.state_dir), WallClock()
    file, folder = SilenceFile(directory), OrderFolder(directory)

    def acknowledge(order: Acknowledge) -> None:
        folder.put(orjson.dumps(told(order)))

    def silence(made: Silence) -> None:
        file.change(lambda known: [*(each for each in known if each.until_ms > clock.now_ms()), made])

    def end(silence_id: str) -> None:
        file.change(lambda known: [each for each in known if each.id != silence_id])

    def silences() -> Sequence[Silence]:
        return file.read()

    clerk = Clerk(acknowledge, silence, end) if settings.page.orders else None
    return Desk(config, clerk, settings.page.password if settings.page.orders else None, silences)
