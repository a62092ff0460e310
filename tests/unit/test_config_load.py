"""From a file to plan and settings: what each setting becomes; hostile files end in a ConfigError and nothing else."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from streamcheck.config.load import load, loads
from streamcheck.config.settings import JoinStorage, Operations, Topics
from streamcheck.core.plan import (
    Budget,
    Column,
    JoinRules,
    Kind,
    Limits,
    Role,
    Segmentation,
    Task,
    TimeField,
    TimeRules,
    TimeUnit,
)
from streamcheck.core.types import StreamRole
from streamcheck.errors import ConfigError, Mistake

CONFIGS = Path(__file__).parents[2] / "configs"
FULL = (CONFIGS / "payments.yaml").read_text()


SHIPPED = sorted(path for path in CONFIGS.glob("*.yaml") if not path.name.endswith(".test.yaml"))  # those are scenarios


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_configs_have_neither_mistakes_nor_warnings(path: Path) -> None:
    made = load(path, {})
    assert made.warnings == ()
    assert made.plan.monitors


def test_what_the_full_config_comes_to() -> None:
    plan = load(CONFIGS / "payments.yaml", {}).plan
    assert plan.name == "payments"
    assert plan.task is Task.BINARY
    assert plan.time == TimeRules(10_000, 5_000, 30_000, 86_400_000)
    assert plan.join == JoinRules(
        604_800_000,
        corrections_last=True,
        predictions_max=138_524_989,
        labels_max=1_000_000,
        memory_max=7_064_090,
        shelf_bytes=128 << 20,
    )
    assert plan.segmentations == (Segmentation(("tier",)), Segmentation(("country",)))
    assert plan.budget == Budget(1.0, 604_800_000)
    assert plan.limits == Limits(1_000, 1_000_000)
    predictions = plan.predictions
    assert (predictions.role, predictions.topics, predictions.id_path) == (
        StreamRole.PREDICTIONS,
        ("payments.predictions",),
        ("event_id",),
    )
    assert predictions.time == TimeField(("ts",), TimeUnit.MS)
    assert (predictions.message_bytes_max, predictions.max_future_ms) == (2**20, 300_000)
    assert [c.name for c in predictions.numeric] == ["amount", "account_age_days", "items", "distance_km", "score"]
    assert [c.name for c in predictions.coded] == [
        "country",
        "device",
        "channel",
        "prediction",
        "model_version",
        "tier",
    ]
    assert predictions.columns == predictions.numeric + predictions.coded
    columns = {c.name: c for c in predictions.columns}
    assert columns["amount"] == Column("amount", ("amount",), Kind.NUMERIC, Role.FEATURE, (0.0, 100_000.0))
    assert columns["prediction"] == Column("prediction", ("fraud",), Kind.BINARY, Role.PREDICTION, positive="1")
    assert columns["model_version"] == Column(
        "model_version", ("model", "version"), Kind.CATEGORICAL, Role.MODEL_VERSION
    )
    assert columns["tier"] == Column("tier", ("tier",), Kind.CATEGORICAL, Role.SEGMENT)
    assert plan.labels is not None
    assert plan.labels.columns == (Column("label", ("is_fraud",), Kind.BINARY, Role.LABEL, positive="1"),)
    assert (plan.labels.topics, plan.labels.id_path, plan.labels.time) == (
        ("payments.labels",),
        ("event_id",),
        TimeField(("ts",), TimeUnit.MS),
    )
    ids = [spec.id for spec in plan.monitors]
    assert "items-scale" not in ids
    assert ids[-6:] == [
        "amount-adwin",
        "amount-adwin-by-tier",
        "error-ddm",
        "error-ddm-by-tier",
        "accuracy-floor",
        "accuracy-floor-by-tier",
    ]


def test_what_the_runtime_gets() -> None:
    made = load(CONFIGS / "payments.yaml", {"KAFKA_BOOTSTRAP": "broker:9092"}).settings
    assert made.kafka == {
        "group_id": "payments",
        "bootstrap_servers": ["broker:9092"],
        "client_id": "streamcheck-payments",
    }
    assert made.topics == Topics(
        "payments.alerts", "payments.alerts.ops", "payments.journal", "payments.rejects", "payments.late"
    )
    assert (made.start, made.on_gap) == ("earliest", "refuse")
    assert made.operations == Operations(owner="ml-platform", commit_s=60.0)
    assert (made.state_dir, made.commit_every_ms, made.listen, made.idle_after_ms) == (
        "var/payments",
        5_000,
        ("127.0.0.1", 9108),
        30_000,
    )
    assert made.join == JoinStorage(512 * 2**20, 20 * 2**30)


def test_what_the_service_says_of_itself() -> None:
    own = "{lag_records: 5000, commit_intervals: 20, stalled_after: 5m, severity: page, owner: platform, runbook: R}"
    text = SMALL + f"operations: {own}\nstate: {{commit_every: 1s}}\n"
    assert loads(text, {}).settings.operations == Operations(
        lag_records=5_000, commit_s=20.0, stalled_s=300.0, severity="page", owner="platform", runbook="R"
    )
    off = SMALL.replace("owner: me", "owner: me, operations_topic: ops") + "operations: {enabled: false}\n"
    assert loads(off, {}).settings.operations is None
    assert any("operations is not enabled" in str(each) for each in loads(off, {}).warnings)
    with pytest.raises(ConfigError, match=r"stalled_aftr: unknown key.*did you mean 'stalled_after'"):
        loads(SMALL + "operations: {stalled_aftr: 1m}\n", {})


SMALL = "version: 1\nname: n\nstreams: {predictions: {topic: t, features: {a: numeric}}}\nalerts: {owner: me}\n"


def test_what_is_left_out_has_a_default() -> None:
    made = loads(SMALL, {})
    assert made.settings.kafka is None
    assert made.settings.topics == Topics()
    assert (made.settings.start, made.settings.state_dir, made.settings.listen) == (
        "latest",
        "var/n",
        ("127.0.0.1", 9108),
    )
    assert made.plan.predictions.id_path is None
    assert made.plan.predictions.time is None
    assert made.plan.task is None


@pytest.mark.parametrize(
    ("line", "attribute", "value"),
    [
        ("start: 2026-03-01T00:00:00Z", "start", 1_772_323_200_000),
        ("start: earliest", "start", "earliest"),
        ("prometheus: {listen: off}", "listen", None),
        ("prometheus: {listen: '[::1]:0'}", "listen", ("::1", 0)),
        ("state: {dir: /tmp/x, commit_every: 500ms}", "state_dir", "/tmp/x"),
        ("on_gap: skip", "on_gap", "skip"),
    ],
)
def test_a_setting_of_the_runtime(line: str, attribute: str, value: object) -> None:
    assert getattr(loads(SMALL + line, {}).settings, attribute) == value


def test_a_file_may_have_a_step_instead_of_times() -> None:
    made = loads(SMALL.replace("topic: t", "topic: t, time: {step: 1s}"), {})
    assert made.settings.steps_ms["predictions"] == 1_000
    assert made.plan.predictions.time is None


def test_segments_are_features_or_fields_of_their_own() -> None:
    segments = "segments: [land, customer.tier, customer.country, model_version], model_version: v"
    land = "land: {path: customer.country, kind: categorical}"
    text = SMALL.replace("a: numeric}", f"a: numeric, {land}}}, {segments}")
    plan = loads(text, {}).plan
    assert [s.fields for s in plan.segmentations] == [("land",), ("customer.tier",), ("model_version",)]
    assert [(c.name, c.path, c.role) for c in plan.predictions.coded] == [
        ("land", ("customer", "country"), Role.FEATURE),
        ("model_version", ("v",), Role.MODEL_VERSION),
        ("customer.tier", ("customer", "tier"), Role.SEGMENT),
    ]


@pytest.mark.parametrize(
    ("task", "kind"), [("regression", Kind.NUMERIC), ("multiclass", Kind.CATEGORICAL), ("binary", Kind.BINARY)]
)
def test_prediction_and_label_have_the_kind_of_the_task(task: str, kind: Kind) -> None:
    text = SMALL.replace("topic: t", f"topic: t, id: i, prediction: p, task: {task}")
    plan = loads(text.replace("{a: numeric}}}", "{a: numeric}}, labels: {topic: l, id: i, label: y}}"), {}).plan
    assert plan.labels is not None
    assert [c.kind for c in plan.predictions.columns if c.role is Role.PREDICTION] == [kind]
    assert plan.labels.columns[0].kind is kind


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"- a\n", "expected settings such as version: 1, got a list of 1"),
        (b"text", "expected settings such as version: 1, got 'text'"),
    ],
)
def test_a_file_that_is_no_config(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [m.message for m in caught.value.mistakes] == [message]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\(the file\): cannot be read: No such file or directory"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


def survives(text: str) -> None:
    """Loading gives a config or a ConfigError; its mistakes are sentences with places, in file order."""
    mistakes = found(text)
    lines = [m.line for m in mistakes if m.line is not None]
    assert lines == sorted(lines)
    assert all(m.message and m.path for m in mistakes)


def found(text: str) -> tuple[Mistake, ...]:
    try:
        loads(text, {"A": "1"})
    except ConfigError as error:
        return error.mistakes or (Mistake("", "an empty path is caught above"),)
    return ()


def keys(value: object) -> set[str]:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = {str(key) for key in value} if isinstance(value, dict) else {value} if isinstance(value, str) else set()
    return own.union(*(keys(v) for v in inside))


WORDS = sorted(
    keys(yaml.safe_load(FULL)) | {"adwin", "auto", "psi", "first", "over", "profile", "error", "${A}", "${B}", "", "."}
)
SCALARS = st.one_of(
    st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(-2, 2**40), st.floats(), st.text(max_size=5)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=200))
def test_any_text_is_a_config_or_a_config_error(text: str) -> None:
    survives(text)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(TREES)
def test_any_tree_is_a_config_or_a_config_error(tree: object) -> None:
    survives(yaml.safe_dump(tree, allow_unicode=True))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_a_config_with_a_part_replaced_is_a_config_or_a_config_error(data: st.DataObject) -> None:
    tree = yaml.safe_load(FULL)
    holder: object = tree
    while isinstance(holder, dict | list) and holder:
        place = data.draw(st.sampled_from(sorted(holder, key=str) if isinstance(holder, dict) else range(len(holder))))
        inner = holder[place]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            holder[place] = data.draw(TREES)
            break
        holder = inner
    survives(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False))
