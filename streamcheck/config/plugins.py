"""Which components may a config name? streamcheck's own, and those of packages that offer some: docs/plugins.md.

A package offers components by an entry point of the group `streamcheck.components`: a module that registers them.
"""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import streamcheck.core.detectors
import streamcheck.core.measures
import streamcheck.core.references  # noqa: F401 - the three register streamcheck's own
from streamcheck.core.components import components
from streamcheck.errors import PluginError

GROUP = "streamcheck.components"
FAMILIES = ("detector", "measure", "reference")

Known = dict[tuple[str, str], str]
"""Where components that are not streamcheck's own come from, by family and name: "package 1.2"."""


@cache
def enrol() -> Known:
    """Register the components of all packages that offer some, once. Raises PluginError where one cannot be loaded."""
    return enrolled(entry_points(group=GROUP))


def enrolled(points: Iterable[EntryPoint]) -> Known:
    """The same of these entry points, in the order of their packages' and their own names."""
    known: Known = {}
    for point in sorted(points, key=lambda point: (_package(point), point.name)):
        before = _registered()
        try:
            point.load()
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise PluginError(
                f"the plug-in {point.name!r} of {_package(point)} cannot be loaded ({what}); mend or uninstall it"
            ) from error
        known |= dict.fromkeys(sorted(_registered() - before), _package(point))
    return known


def _registered() -> set[tuple[str, str]]:
    return {(family, name) for family in FAMILIES for name in components(family)}


def _package(point: EntryPoint) -> str:
    return "a package without a name" if point.dist is None else f"{point.dist.name} {point.dist.version}"
