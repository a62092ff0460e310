"""When is the service itself in trouble? The model of `operations` in a config."""

from typing import Annotated

from pydantic import Field

from streamcheck.config.settings import Operations
from streamcheck.config.streams import Section
from streamcheck.config.values import Duration, Switch, Text, Word, count_rule, duration_rule


class OperationsSection(Section):
    """Alerts about the service itself, by the real clock; they go to alerts.operations_topic, page, gauges, notify."""

    lag_records: Annotated[int, count_rule(1)] = Field(
        1_000_000, description="Records left to be read, in all partitions, beyond which it lags."
    )
    lag_for: Duration = Field(300_000, description="How long it must lag, once it has caught up with its start.")
    lag_growing: Annotated[int, duration_rule("1m", "7d")] = Field(
        900_000, description="How long the lag may grow, below that number too."
    )
    commit_intervals: Annotated[int, count_rule(2, 100_000)] = Field(
        12, description="How many times state.commit_every a closed pane may wait for its commit."
    )
    stalled_after: Annotated[int, duration_rule("5s", "7d")] = Field(
        120_000, description="How long a partition that has records may make no progress."
    )
    delivery_after: Annotated[int, duration_rule("5s", "7d")] = Field(
        60_000, description="How long alerts, dead letters, the journal or messages may not be delivered."
    )
    broker_after: Annotated[int, duration_rule("5s", "7d")] = Field(
        30_000, description="How long the broker may not answer."
    )
    resolve_after: Duration = Field(60_000, description="How long all must be well again for an alert to end.")
    severity: Word = Field("warning", description="How urgent: a lower-case word, such as info, warning or page.")
    owner: Text | None = Field(None, description="Who answers for the service; left out: alerts.owner.")
    runbook: Text | None = Field(None, description="Where it says what to do.")
    enabled: Switch = Field(default=True, description="false: nobody watches the service itself.")


def compile_operations(section: OperationsSection, owner: str | None, commit_every_ms: int) -> Operations | None:
    """What the runtime needs of it; None where nobody watches. owner: of the config's alerts."""
    if not section.enabled:
        return None
    return Operations(
        lag_records=section.lag_records,
        lag_s=section.lag_for / 1000,
        growing_s=section.lag_growing / 1000,
        commit_s=section.commit_intervals * commit_every_ms / 1000,
        stalled_s=section.stalled_after / 1000,
        delivery_s=section.delivery_after / 1000,
        broker_s=section.broker_after / 1000,
        resolve_s=section.resolve_after / 1000,
        severity=section.severity,
        owner=section.owner or owner,
        runbook=section.runbook,
    )
