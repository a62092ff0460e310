"""Which settings of a config decide how often its monitors alarm, and which values may they take?

Only detectors with parameters of their own: what is calibrated to the budget (scan and cusum without `h`) needs no
knob, and `auto` has none, for a parameter beside it would change what the detector is fed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from streamcheck.config.document import Path
from streamcheck.config.edit import change, scalar
from streamcheck.config.load import Loaded
from streamcheck.core.plan import MonitorSpec
from streamcheck.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Knob:
    """One parameter of one entry of `monitors`.

    values: from the most sensitive to the least, the present one among them; none for a threshold, whose values come
    from what is observed. monitors: the ids that it turns. sign: of a threshold, +1 for above, -1 for below.
    """

    path: Path
    name: str
    now: float
    values: tuple[float, ...]
    monitors: frozenset[str]
    sign: int = 0


_STRICT = (1e-2, 2e-3, 5e-4, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-12)
_MAIN: dict[str, tuple[str, tuple[float, ...], bool]] = {
    "adwin": ("delta", (5e-2, *_STRICT), False),
    "kswin": ("alpha", _STRICT, False),
    "fhddm": ("confidence_level", _STRICT, False),
    "hddm_a": ("drift_confidence", _STRICT, False),
    "hddm_w": ("drift_confidence", _STRICT, False),
    "eddm": ("beta", (0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3), False),
    "ddm": ("drift_threshold", (2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0), True),
    "page_hinkley": ("threshold", (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 5_000.0), True),
    "scan": ("h", (3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0), True),
    "cusum": ("h", (2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0), True),
}
"""Of each detector the parameter that is turned, its values, and whether larger ones mean fewer alarms."""


def knobs(loaded: Loaded, text: str, read: Callable[[str], Loaded]) -> tuple[Knob, ...]:
    """The knobs of a config, in the order of its entries. read: a config's text, checked."""
    found: list[Knob] = []
    for at, entry in enumerate(loaded.config.monitors or ()):
        if entry.detector is None or not entry.enabled or not entry.detector.params:
            continue
        name, params = entry.detector.name, entry.detector.params
        here: Path = ("monitors", at, "detector", name)
        label = entry.name or f"monitors[{at}]"
        if name == "threshold":
            for side, sign in (("above", 1), ("below", -1)):
                if params.get(side) is not None:
                    now = float(params[side])
                    moved = _moved(loaded, read(change(text, (*here, side), scalar(now + sign * 1e9))))
                    found.append(Knob((*here, side), f"{label}.{side}", now, (), moved, sign))
        elif name in _MAIN:
            knob = _river(loaded, text, read, here, label, params)
            if knob is not None:
                found.append(knob)
    return tuple(knob for knob in found if knob.monitors)


def _river(
    loaded: Loaded, text: str, read: Callable[[str], Loaded], here: Path, label: str, params: dict[str, object]
) -> Knob | None:
    name = str(here[-1])
    param, values, larger = _MAIN[name]
    if name in ("scan", "cusum") and params.get("h") is None:
        return None  # calibrated to its share of the budget already
    made = {value: _read(change(text, (*here, param), scalar(value)), read) for value in values}
    fitting = {value: other for value, other in made.items() if other is not None}
    moved = frozenset(name for other in fitting.values() for name in _moved(loaded, other))
    if not moved:
        return None
    now = _now(loaded, moved, param)
    grid = sorted({*fitting, now}, reverse=not larger)
    return Knob((*here, param), f"{label}.{param}", now, tuple(grid), moved)


def _read(text: str, read: Callable[[str], Loaded]) -> Loaded | None:
    """The config with a value; None where it does not go with another parameter, such as that of a warning."""
    try:
        return read(text)
    except ConfigError:
        return None


def _moved(loaded: Loaded, other: Loaded) -> frozenset[str]:
    """The monitors that another text makes with another detector."""
    before = {spec.id: spec.detector for spec in loaded.plan.monitors}
    return frozenset(spec.id for spec in other.plan.monitors if before.get(spec.id) != spec.detector)


def _now(loaded: Loaded, monitors: frozenset[str], param: str) -> float:
    from streamcheck.core.components import find  # noqa: PLC0415 (the registry is filled by then)

    spec = next(spec for spec in loaded.plan.monitors if spec.id in monitors)
    given = dict(spec.detector.params).get(param)
    declared = {each.name: each.default for each in find("detector", spec.detector.name).params}
    return float(declared[param] if given is None else given)


def turned(text: str, settings: dict[Path, float]) -> str:
    """The text with these values."""
    for path, value in settings.items():
        text = change(text, path, scalar(value))
    return text


def only(loaded: Loaded, monitors: frozenset[str]) -> Loaded:
    """The config with these monitors alone."""
    kept: tuple[MonitorSpec, ...] = tuple(spec for spec in loaded.plan.monitors if spec.id in monitors)
    return replace(loaded, plan=replace(loaded.plan, monitors=kept))
