"""What does `streams.shadow` come to: which column, joined under which limits with the champion's labelled rows?"""

from streamcheck.config.document import Findings, Path
from streamcheck.config.formats import located, own_id
from streamcheck.config.models import Config
from streamcheck.config.streams import Shadow
from streamcheck.config.surface import PREDICTION, PREDICTIONS, Surface
from streamcheck.config.wording import Usable
from streamcheck.core.join_size import room
from streamcheck.core.plan import Column, JoinRules, Kind, Role
from streamcheck.core.rules import ShadowRules

SHADOW: Path = ("streams", "shadow")
NAME = "shadow"
DAY_MS = 86_400_000


def check_shadow(usable: Usable, findings: Findings) -> None:
    """A challenger is compared with a champion whose predictions have ids and get labels."""
    streams = usable.config.streams
    predictions = streams.predictions
    if streams.shadow is None:
        return
    if predictions.prediction is None and usable.sure(*PREDICTIONS, "prediction"):
        findings.mistake(PREDICTIONS, "a challenger is compared with what the model said; add prediction: FIELD")
    if predictions.id is None and own_id(predictions.envelope) is None and usable.sure(*PREDICTIONS, "id"):
        findings.mistake(PREDICTIONS, "a challenger's predictions are joined by id; add id: FIELD to the predictions")
    if streams.labels is None and predictions.label is None and usable.sure("streams"):
        hint = "add streams.labels, or label: FIELD where the prediction event carries the truth"
        findings.mistake(SHADOW, f"which model is better only labels can tell; {hint}")


def shadow_column(stream: Shadow, surface: Surface) -> Column:
    """Its one column, of the kind of the champion's prediction."""
    said = surface.column(PREDICTION)
    kind, positive = (said.kind, said.positive) if said else (Kind.CATEGORICAL, None)
    return Column(PREDICTION, located(stream.prediction, stream.envelope), kind, Role.PREDICTION, positive=positive)


def shadow_rules(config: Config) -> ShadowRules | None:
    """How it is compared; its join has limits of its own, as large as those of the label join."""
    stream, labels, limits = config.streams.shadow, config.streams.labels, config.limits
    if stream is None:
        return None
    horizon = stream.horizon or (DAY_MS if labels is None else labels.horizon)
    held = room(limits.join_memory, limits.join_disk, 0, limits.segments)
    join = JoinRules(
        horizon,
        corrections_last=False,
        predictions_max=held.predictions_max,
        labels_max=limits.pending_labels,
        memory_max=held.memory_max,
        shelf_bytes=held.shelf_bytes,
    )
    return ShadowRules(stream.name or NAME, join)
