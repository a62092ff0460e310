"""How do a person's orders reach the loop, each once, whatever happens in between?"""

import logging
from collections.abc import Iterator

import orjson

from streamcheck.core.orders import Order, heard
from streamcheck.errors import StateError
from streamcheck.runtime.ports import OrderBox

log = logging.getLogger(__name__)


class OrderDesk:
    """Takes orders out of their box; they leave it when the commit that holds them is durable."""

    def __init__(self, box: OrderBox | None) -> None:
        self._box = box
        self._taken: list[str] = []

    def fresh(self) -> Iterator[tuple[str, Order]]:
        """Orders that have not been taken yet, oldest first: name and what is ordered."""
        for name, content in self._box.waiting() if self._box is not None else ():
            if name in self._taken:
                continue
            self._taken.append(name)
            try:
                order = heard(orjson.loads(content))
            except (StateError, orjson.JSONDecodeError) as error:
                log.error("order %s is thrown away: %s", name, error)
                continue
            log.info("order %s: %s", name, order)
            yield name, order

    def committed(self) -> None:
        """What was taken is durable."""
        if self._box is not None and self._taken:
            self._box.done(self._taken)
        self._taken = []
