"""Which reference profiles does a config name, and do they suit it? Files are looked for beside the config."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath

from streamcheck.config.document import Findings, Path
from streamcheck.config.models import Reference
from streamcheck.config.surface import Surface
from streamcheck.config.values import duration_text
from streamcheck.config.wording import Usable
from streamcheck.core.keys import reference_measure
from streamcheck.core.layouts import LAYOUT_ROWS
from streamcheck.core.plan import Kind, MonitorSpec, Plan, Target
from streamcheck.core.profile_text import from_text
from streamcheck.core.profiles import Key, Profile
from streamcheck.errors import ProfileError

BYTES_MAX = 256 << 20
NAMED_MAX = 5


class Profiles:
    """The profiles that a config names, by the name it gives."""

    def __init__(self, read: Mapping[str, Profile]) -> None:
        self._read = read

    def digest(self, named: str) -> str:
        """Of the profile's content; "" where it could not be read, which has been told."""
        profile = self._read.get(named)
        return "" if profile is None else profile.digest

    def by_digest(self) -> dict[str, Profile]:
        """All of them, in the order in which they are named."""
        return {profile.digest: profile for profile in self._read.values()}

    def of_training(self, named: str | None) -> bool:
        """Whether it holds what a model was trained on."""
        profile = None if named is None else self._read.get(named)
        return profile is not None and profile.training

    def named(self, named: str) -> Profile | None:
        """One of them."""
        return self._read.get(named)


def read_profiles(usable: Usable, findings: Findings, folder: FilePath) -> Profiles:
    """Every profile that is named, read once; what is wrong with a file goes to `findings`."""
    read: dict[str, Profile] = {}
    failed: dict[str, str] = {}
    for here, reference in _references(usable):
        named = reference.profile
        if named is None or named in read:
            continue
        try:
            if named not in failed:
                read[named] = read_profile(folder / named)
        except ProfileError as error:
            failed[named] = str(error)
        if named in failed:
            findings.mistake((*here, "profile"), f"{findings.document.shown((*here, 'profile'))}: {failed[named]}")
    return Profiles(read)


def read_profile(path: FilePath) -> Profile:
    """The profile in a file. Raises ProfileError, without the file's name."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ProfileError(f"larger than {BYTES_MAX >> 20} MiB")
        return from_text(path.read_bytes())
    except OSError as error:
        raise ProfileError(f"cannot be read: {error.strerror or type(error).__name__}") from error


def _references(usable: Usable) -> Iterator[tuple[Path, Reference]]:
    if usable.sure("reference"):
        yield ("reference",), usable.config.reference
    for at, entry in enumerate(usable.config.monitors or ()):
        if entry.reference is not None and usable.sure("monitors", at, "reference"):
            yield ("monitors", at, "reference"), entry.reference


def check_profiles(usable: Usable, plan: Plan, profiles: Profiles, surface: Surface, findings: Findings) -> None:
    """Whether panes, columns, kinds and contents are those of the config's monitors."""
    seen: set[str] = set()
    for here, reference in _references(usable):
        profile = None if reference.profile is None else profiles.named(reference.profile)
        if profile is None or profile.digest in seen:
            continue
        seen.add(profile.digest)
        place = (*here, "profile")
        if profile.pane_ms != plan.time.pane_ms:
            panes = duration_text(profile.pane_ms), duration_text(plan.time.pane_ms)
            findings.mistake(place, f"it was made of panes of {panes[0]}, here they last {panes[1]}; make it again")
            continue
        mine = [spec for spec in plan.monitors if ("digest", profile.digest) in spec.reference.params]
        if not _check_kinds(profile, mine, surface, place, findings):
            _check_contents(profile, mine, plan, place, findings)
    _check_layouts(plan, findings)


def _check_kinds(
    profile: Profile, mine: Iterable[MonitorSpec], surface: Surface, place: Path, findings: Findings
) -> bool:
    """Whether a column is another one than in the profile."""
    wrong = False
    for name in dict.fromkeys(spec.column for spec in mine if spec.target is Target.COLUMN):
        column, kind = surface.column(name), profile.kinds.get(name)
        if column is not None and kind is not None and column.kind.value != kind:
            findings.mistake(place, f"{name} is {kind} in it, {column.kind.value} here; make it again")
            wrong = True
    return wrong


def _check_contents(profile: Profile, mine: Iterable[MonitorSpec], plan: Plan, place: Path, findings: Findings) -> None:
    """Whether the profile holds something for every monitor: its rows together, or one segment at least."""
    held = {(k.target, k.column, k.measure, k.params, k.by) for k in profile.contents}
    columns = {key.column for key in profile.contents if key.target == Target.COLUMN.value}
    few = {name for name in columns if profile.kinds.get(name) == Kind.NUMERIC.value and name not in profile.layouts}
    unlaid, beyond, newer, missing = [], [], [], []
    for spec in mine:
        measure = reference_measure(spec, plan)
        key = None if measure is None else Key.of(spec, measure, ())
        if key is None or (key.target, key.column, key.measure, key.params, key.by) in held:
            continue
        if spec.target is Target.COLUMN and spec.column in few:
            unlaid.append(spec)
        elif measure == "scale" and spec.column in profile.layouts:
            beyond.append(spec.id)
        elif spec.default and (spec.target is Target.STREAM or spec.column in columns):
            newer.append(spec.id)
        else:
            missing.append(spec.id)
    if missing:
        findings.mistake(place, f"it holds nothing for {_named(missing)}; make it again with this config")
        return
    _check_few(unlaid, place, findings)
    if beyond:
        findings.warning(
            place,
            f"it holds nothing for {_named(beyond)}, for most values lie beyond the bins that --like gave it: they "
            "judge nothing; made without --like it has bins of its own",
        )
    if newer:
        findings.warning(
            place,
            f"it holds nothing for {_named(newer)}, defaults that are newer: they judge nothing until it is made again",
        )


def _check_few(unlaid: Sequence[MonitorSpec], place: Path, findings: Findings) -> None:
    """Where a column has too few values in the profile: what that means for defaults, and what to do with others."""
    for default in (True, False):
        ids = [spec.id for spec in unlaid if spec.default is default]
        names = ", ".join(list(dict.fromkeys(spec.column for spec in unlaid if spec.default is default))[:NAMED_MAX])
        told = f"it holds nothing for {_named(ids)}, for it was made of fewer than {LAYOUT_ROWS:,} values of {names}"
        if ids and default:
            findings.warning(place, f"{told}: they judge nothing")
        elif ids:
            findings.mistake(place, f"{told}; make it of more history, or give them another reference")


def _named(ids: list[str]) -> str:
    named = ", ".join(ids[:NAMED_MAX]) + (" …" if len(ids) > NAMED_MAX else "")
    return f"{len(ids)} of the monitors ({named})"


def _check_layouts(plan: Plan, findings: Findings) -> None:
    """A column has one histogram, so two profiles must agree on it."""
    first: dict[str, Profile] = {}
    for profile in plan.profiles.values():
        for name, layout in profile.layouts.items():
            other = first.setdefault(name, profile)
            if other.layouts[name].edges.tolist() != layout.edges.tolist():
                findings.mistake(
                    ("reference",),
                    f"two profiles give {name} different bins: use one of them for all its monitors, or make the "
                    "second with --like the first",
                )
                return
