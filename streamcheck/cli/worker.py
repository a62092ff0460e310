"""A worker process of `streamcheck backtest`, which reads files as well. Started by the pool, never by hand."""

from streamcheck.adapters.files.sections import open_section
from streamcheck.cli.registry_wiring import open_registry
from streamcheck.runtime.workers.child import serve

if __name__ == "__main__":
    serve(open_section, open_registry)
