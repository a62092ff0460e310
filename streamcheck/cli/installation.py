"""Is a package missing that streamcheck needs? Then a person must install it: starting again helps nobody."""

PACKAGES = {
    "jinja2": "Jinja2",
    "kafka": "kafka-python",
    "prometheus_client": "prometheus-client",
    "snappy": "python-snappy",
    "yaml": "PyYAML",
}
"""Packages whose modules bear another name."""


def incomplete(error: BaseException) -> str | None:
    """What to install; None where the error is of another kind, or is about streamcheck's own modules.

    >>> incomplete(ModuleNotFoundError("No module named 'snappy'", name="snappy"))[-32:]
    'again: pip install python-snappy'
    >>> incomplete(ModuleNotFoundError("No module named 'streamcheck.x'", name="streamcheck.x")) is None
    True
    """
    module = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if module in ("", "streamcheck"):
        return None
    return (
        f"streamcheck is not installed completely ({error}). Nothing was read or changed. Install the package that "
        f"is missing or broken, then start again: pip install {PACKAGES.get(module, module)}"
    )
