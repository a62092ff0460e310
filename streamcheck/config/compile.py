"""What does a config come to? The plan that the engine runs, and the settings of the runtime around it."""

from collections.abc import Mapping
from dataclasses import replace

from streamcheck.config.formats import located, own_id, own_time
from streamcheck.config.kafka_options import CAREFUL_CLIENT, CLIENT
from streamcheck.config.kpi import kpi_column, kpi_rules
from streamcheck.config.models import Config, Prometheus
from streamcheck.config.notify import compile_notify
from streamcheck.config.operations import compile_operations
from streamcheck.config.registry import compile_registry
from streamcheck.config.settings import JoinStorage, Page, Settings, Topics
from streamcheck.config.shadow import shadow_column, shadow_rules
from streamcheck.config.streams import TimeSource
from streamcheck.config.surface import LABEL, PREDICTION, Surface
from streamcheck.config.values import loopback
from streamcheck.config.zones import zones
from streamcheck.core.join_size import room
from streamcheck.core.plan import (
    Column,
    Encoding,
    JoinRules,
    Kind,
    Limits,
    MonitorSpec,
    Plan,
    Role,
    Schema,
    TimeField,
    TimeRules,
    TimeUnit,
)
from streamcheck.core.profiles import Profile
from streamcheck.core.types import StreamRole


def compile_plan(
    config: Config,
    surface: Surface,
    monitors: tuple[MonitorSpec, ...],
    profiles: Mapping[str, Profile],
    encodings: Mapping[str, Encoding],
) -> Plan:
    """The plan; segmentations are the declared ones, then those that only monitors use."""
    used = [spec.by for spec in monitors if spec.by is not None]
    used += [spec.between.segmentation for spec in monitors if spec.between is not None]
    rules, limits = config.time, config.limits
    segmentations = tuple(dict.fromkeys((*surface.segmentations, *used)))
    plan = Plan(
        name=config.name,
        predictions=_predictions(config, surface, encodings["predictions"], monitors),
        labels=_labels(config, surface, encodings.get("labels")),
        kpi=_kpi(config, encodings.get("kpi")),
        shadow=_shadow(config, surface, encodings.get("shadow")),
        shadow_rules=shadow_rules(config),
        task=surface.task,
        time=TimeRules(rules.pane, rules.lateness, rules.idle_after, rules.max_jump),
        join=_join(config, len(segmentations)),
        segmentations=segmentations,
        monitors=monitors,
        budget=config.alarm_budget,
        limits=Limits(limits.segments, limits.pane_rows, limits.pane_memory, limits.monitor_memory),
        profiles=profiles,
        zones=zones(_zones_of(monitors)),
        search_rows=config.search.rows // 4_000 * 4_000 if config.search.enabled and surface.labelled else 0,
    )
    return replace(plan, kpi_rules=kpi_rules(config, plan))


def _zones_of(monitors: tuple[MonitorSpec, ...]) -> list[str]:
    """Whose hours their references go by."""
    return [value for spec in monitors for name, value in spec.reference.params if name == "zone"]


def _looks(monitors: tuple[MonitorSpec, ...]) -> bool:
    """Whether somebody asks for fields that the config does not declare."""
    return any(spec.measure is not None and spec.measure.name == "schema_changes" for spec in monitors)


def _predictions(config: Config, surface: Surface, encoding: Encoding, monitors: tuple[MonitorSpec, ...]) -> Schema:
    stream = config.streams.predictions
    return Schema(
        StreamRole.PREDICTIONS,
        stream.topic,
        located(stream.id, stream.envelope) if stream.id else own_id(stream.envelope),
        _time(stream.time, stream.envelope),
        surface.columns,
        config.limits.message_bytes,
        config.time.max_future,
        encoding,
        _looks(monitors),
    )


def _labels(config: Config, surface: Surface, encoding: Encoding | None) -> Schema | None:
    stream = config.streams.labels
    if stream is None or encoding is None:
        return None
    said = surface.column(PREDICTION)
    kind, positive = (said.kind, said.positive) if said else (Kind.CATEGORICAL, None)
    label = Column(LABEL, located(stream.label, stream.envelope), kind, Role.LABEL, positive=positive)
    return Schema(
        StreamRole.LABELS,
        stream.topic,
        located(stream.id, stream.envelope),
        _time(stream.time, stream.envelope),
        (label,),
        config.limits.message_bytes,
        config.time.max_future,
        encoding,
    )


def _kpi(config: Config, encoding: Encoding | None) -> Schema | None:
    stream = config.streams.kpi
    if stream is None or encoding is None:
        return None
    time = _time(stream.time, stream.envelope)
    limits = (config.limits.message_bytes, config.time.max_future)
    return Schema(StreamRole.KPI, stream.topic, None, time, (kpi_column(stream),), *limits, encoding)


def _shadow(config: Config, surface: Surface, encoding: Encoding | None) -> Schema | None:
    stream = config.streams.shadow
    if stream is None or encoding is None:
        return None
    time, column = _time(stream.time, stream.envelope), shadow_column(stream, surface)
    limits = (config.limits.message_bytes, config.time.max_future)
    return Schema(
        StreamRole.SHADOW, stream.topic, located(stream.id, stream.envelope), time, (column,), *limits, encoding
    )


def _time(source: TimeSource | None, envelope: str | None) -> TimeField | None:
    own = own_time(envelope)
    if source is None and own is not None:
        return TimeField(own, TimeUnit.ISO8601)
    if source is None or source.field is None or source.unit is None:
        return None
    return TimeField(located(source.field, envelope), TimeUnit(source.unit))


def _join(config: Config, segmentations: int) -> JoinRules | None:
    labels, limits = config.streams.labels, config.limits
    if labels is None:
        return None
    held = room(limits.join_memory, limits.join_disk, segmentations, limits.segments)
    return JoinRules(
        labels.horizon,
        labels.corrections == "last",
        held.predictions_max,
        limits.pending_labels,
        held.memory_max,
        held.shelf_bytes,
    )


def compile_settings(config: Config, kafka: dict[str, object] | None) -> Settings:
    """The runtime's settings; kafka: the checked options, None where the config has none."""
    options = None if kafka is None else {"group_id": config.name, **kafka}
    client = CAREFUL_CLIENT if options is None else options.pop(CLIENT, CAREFUL_CLIENT)
    streams = {role: getattr(config.streams, role) for role in StreamRole}
    steps = {role: each.time.step for role, each in streams.items() if each is not None and each.time}
    return Settings(
        name=config.name,
        kafka=options,
        start=config.start,
        on_gap=config.on_gap,
        topics=Topics(
            config.alerts.topic,
            config.alerts.operations_topic,
            config.journal.topic if config.journal else None,
            config.dead_letter.topic if config.dead_letter else None,
            config.late.topic if config.late else None,
        ),
        state_dir=config.state.dir or f"var/{config.name}",
        commit_every_ms=config.state.commit_every,
        listen=config.prometheus.listen,
        join=JoinStorage(config.limits.join_memory, config.limits.join_disk),
        idle_after_ms=config.time.idle_after,
        steps_ms={role: step for role, step in steps.items() if step is not None},
        operations=compile_operations(config.operations, config.alerts.owner, config.state.commit_every),
        open_bytes=config.limits.open_memory,
        workers=config.workers,
        kafka_client=client,  # type: ignore[arg-type]  # checked: one of CLIENTS
        notify=compile_notify(config.notify),
        registry=compile_registry(config.schema_registry),
        page=_page(config.prometheus),
    )


def _page(section: Prometheus) -> Page:
    private = section.listen is None or loopback(section.listen[0])
    return Page(section.orders, section.password, section.samples or ("full" if private else "redacted"))
