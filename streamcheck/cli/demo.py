"""`streamcheck demo`: the real engine over a simulated payments stream, with incidents that it must find."""

import logging
import time
from dataclasses import replace
from importlib import resources

import click

from streamcheck.cli.output import show_json
from streamcheck.config.load import Loaded, loads


@click.command()
@click.option("--serve", is_flag=True, help="Keep the status page up at the end, until Ctrl-C.")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:9108", show_default=True, help="Where the page is.")
@click.option("--hours", type=click.FloatRange(3, 200), default=20.0, show_default=True, help="Event time to simulate.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another stream of the same kind.")
@click.option("--quiet-stream", is_flag=True, help="The same stream without incidents: every alert is a false one.")
@click.option("--json", "as_json", is_flag=True, help="Print only the result, as JSON.")
def demo(serve: bool, listen: str, hours: float, seed: int, quiet_stream: bool, as_json: bool) -> None:  # noqa: FBT001
    """Simulate a payments stream with incidents and late labels, and watch it with the real engine. Needs no broker.

    Exit codes: 0 it ran to its end, 1 it failed, 2 a mistake in the command line.
    """
    from streamcheck.cli.demo_show import Show  # noqa: PLC0415 (numpy and the engine: only when it runs)

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    loaded = _config(listen)
    show = Show(loaded.plan, seed=seed, hours=hours, quiet=quiet_stream, silent=as_json)
    began = time.perf_counter()
    with show.pages(loaded.settings) as address:
        if address is not None:
            show.say(f"Status page: {address}   gauges: {address}metrics")
        result = show.run()
        result["seconds"] = round(time.perf_counter() - began, 1)
        if as_json:
            show_json(result)
        else:
            show.table(result)
        if serve:
            show.serve(address)


def _config(listen: str) -> Loaded:
    text = resources.files("streamcheck.cli").joinpath("demo.yaml").read_text("utf-8")
    loaded = loads(text, {}, "demo.yaml")
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise click.BadParameter(f"expected HOST:PORT such as 127.0.0.1:9108, got {listen!r}", param_hint="--listen")
    return replace(loaded, settings=replace(loaded.settings, listen=(host, int(port))))
