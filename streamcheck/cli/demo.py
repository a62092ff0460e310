"""`streamcheck demo`: the real engine over a simulated payments stream, with incidents that it must find."""

import logging
import time
from contextlib import ExitStack
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

import click

from streamcheck.cli.output import show_json
from streamcheck.config.load import Loaded, loads
from streamcheck.config.values import listen_address
from streamcheck.errors import ConfigError

if TYPE_CHECKING:  # numpy: only when it runs
    from streamcheck.adapters.simulate.incidents import Scenario


@click.command()
@click.option("--serve", is_flag=True, help="Keep the status page up at the end, until Ctrl-C.")
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:9108", show_default=True, help="Where the page is; off: none."
)
@click.option("--hours", type=click.FloatRange(3, 200), default=20.0, show_default=True, help="Event time to simulate.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another stream of the same kind.")
@click.option("--quiet-stream", is_flag=True, help="The same stream without incidents: every alert is a false one.")
@click.option("--faults", is_flag=True, help="Other incidents: what breaks in pipelines, one fault after the other.")
@click.option("--json", "as_json", is_flag=True, help="Print only the result, as JSON.")
@click.option(
    "--publish", metavar="HOST:PORT", help="Watch nothing: send the stream to a broker, as time passes, until its end."
)
@click.option(
    "--history", type=click.FloatRange(0, 199), default=3.0, show_default=True,
    help="With --publish: the hours of it that have passed already, sent at once.",
)  # fmt: skip
def demo(
    serve: bool, listen: str, hours: float, seed: int, quiet_stream: bool, faults: bool,  # noqa: FBT001
    as_json: bool, publish: str | None, history: float,  # noqa: FBT001
) -> None:  # fmt: skip
    """Simulate a payments stream with incidents and late labels, and watch it with the real engine. Needs no broker.

    With --publish it is the producer of a real one, on the topics payments.predictions and payments.labels, which are
    made where they are missing.

    Exit codes: 0 it ran to its end, 1 it failed, 2 a mistake in the command line.
    """
    if publish is not None:
        if faults:
            raise click.UsageError("--publish sends the demo's own incidents: without --faults")
        if serve or as_json:
            raise click.UsageError("--publish watches nothing: without --serve and --json")
        from streamcheck.cli.demo_publish import run  # noqa: PLC0415 (numpy, kafka: only when it runs)

        run(publish, hours=hours, history=history, seed=seed, quiet=quiet_stream)
        return
    from streamcheck.cli.demo_show import Show  # noqa: PLC0415 (numpy and the engine: only when it runs)

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    loaded = _config(listen, "faults.yaml" if faults else "demo.yaml")
    if serve and loaded.settings.listen is None:
        raise click.UsageError("--serve needs an address to serve at, --listen is off")
    if quiet_stream and faults:
        raise click.UsageError("--quiet-stream has no incidents: without --faults")
    show = Show(loaded.plan, seed=seed, hours=hours, scenario=_scenario(quiet_stream, faults), silent=as_json)
    with ExitStack() as stack:
        try:
            address = stack.enter_context(show.pages(loaded.settings))
        except ConfigError as error:
            way_out = " (--listen 127.0.0.1:0: any free port; --listen off: no page)"
            raise click.BadParameter(error.mistakes[0].message + way_out, param_hint="--listen") from None
        if address is not None:
            show.say(f"Status page: {address}   gauges: {address}metrics")
        began = time.perf_counter()
        result = show.run()
        result["seconds"] = round(time.perf_counter() - began, 1)
        if as_json:
            show_json(result)
        else:
            show.table(result)
        if serve and address is not None:
            show.serve(address)


def _scenario(quiet: bool, faults: bool) -> "Scenario":  # noqa: FBT001
    from streamcheck.adapters.simulate.faults import FAULTS  # noqa: PLC0415 (numpy: only when it runs)
    from streamcheck.adapters.simulate.incidents import DEMO, QUIET  # noqa: PLC0415

    return QUIET if quiet else FAULTS if faults else DEMO


def _config(listen: str, name: str = "demo.yaml") -> Loaded:
    text = resources.files("streamcheck.cli").joinpath(name).read_text("utf-8")
    loaded = loads(text, {}, name)
    try:
        address = listen_address(listen)
    except ValueError:
        expected = f"expected HOST:PORT such as 127.0.0.1:9108 (port 0: any free one), or off, got {listen!r}"
        raise click.BadParameter(expected, param_hint="--listen") from None
    return replace(loaded, settings=replace(loaded.settings, listen=address))
