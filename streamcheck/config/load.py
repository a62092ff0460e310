"""Which plan and settings does a config file come to, or what is wrong with it? All mistakes at once, in file order."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

from streamcheck.config.checks import check_owners, check_parts
from streamcheck.config.compile import compile_plan, compile_settings
from streamcheck.config.document import TEXT_BYTES_MAX, Findings, Unreadable, path_text, read
from streamcheck.config.encodings import check_keys, read_encodings
from streamcheck.config.environment import substitute
from streamcheck.config.kafka_options import check_kafka
from streamcheck.config.kpi import check_against
from streamcheck.config.models import Config
from streamcheck.config.monitors import Expansion
from streamcheck.config.notify import check_notify
from streamcheck.config.plugins import enrol
from streamcheck.config.profiles import check_profiles, read_profiles
from streamcheck.config.settings import Settings
from streamcheck.config.surface import surface
from streamcheck.config.wording import build_config
from streamcheck.core.plan import Plan
from streamcheck.errors import ConfigError, Mistake


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config without mistakes: as written, as a plan, as settings, and what is doubtful about it."""

    config: Config
    plan: Plan
    settings: Settings
    warnings: tuple[Mistake, ...]


def load(path: str | FilePath, environ: Mapping[str, str] | None = None, *, profiles: bool = True) -> Loaded:
    """Read a config file; ConfigError with every mistake. environ: for `${NAME}`, the process's own when left out.

    profiles: whether reference profiles are read; else `auto` stands in for them (where one is to be made).
    """
    source = str(path)
    try:
        with FilePath(path).open("rb") as file:
            content = file.read(TEXT_BYTES_MAX + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            (Mistake("(the file)", f"cannot be read: {error.strerror or type(error).__name__}"),), source
        ) from None
    except UnicodeDecodeError:
        raise ConfigError((Mistake("(the file)", "is not UTF-8 text"),), source) from None
    return loads(text, os.environ if environ is None else environ, source, profiles=profiles)


def loads(text: str, environ: Mapping[str, str], source: str = "config", *, profiles: bool = True) -> Loaded:
    r"""The same for a config's text; profiles are looked for beside `source`.

    >>> text = "version: 1\nname: demo\nstreams: {predictions: {topic: t, features: {amount: numeric}}}"
    >>> loads(text, {}).plan.predictions.topics
    ('t',)
    """
    enrol()
    try:
        document = read(text, lambda scalar: substitute(scalar, environ))
    except Unreadable as error:
        raise ConfigError((Mistake(path_text(error.path), error.message, error.line),), source) from None
    findings = Findings(document)
    findings.add(document.mistakes)
    usable = build_config(document, findings)
    if usable is None:
        raise ConfigError(findings.mistakes, source)
    config = usable.config
    kafka = check_kafka(config.kafka, findings) if config.kafka is not None else None
    check_parts(usable, findings)
    check_notify(config.notify, findings)
    encodings = read_encodings(usable, findings, FilePath(source).parent)
    declared = surface(usable, findings)
    known = read_profiles(usable, findings, FilePath(source).parent) if profiles else None
    monitors = Expansion(usable, declared, findings, known).specs()
    check_owners(monitors, findings)
    plan = None
    if not findings.mistakes:
        plan = compile_plan(config, declared, monitors, {} if known is None else known.by_digest(), encodings)
        check_keys(plan, findings)
        if known is not None:
            check_profiles(usable, plan, known, declared, findings)
        check_against(usable, plan, findings)
    if findings.mistakes or plan is None:
        raise ConfigError(findings.mistakes, source)
    return Loaded(config, plan, compile_settings(config, kafka), findings.warnings)
