"""Importing this package registers every detector: each module in it is a component (or a base for some)."""

import importlib
import pkgutil

for _module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
