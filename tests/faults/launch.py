"""The command line of streamcheck, but with one place patched: it dies there, or it is a mutant.

Environment: STREAMCHECK_MOMENT (see moments.py), STREAMCHECK_MUTANT (a function in mutants/).
"""

import functools
import importlib
import os
import sys

from tests.faults import moments

MUTANTS = ("delivery", "state", "surroundings", "time")


def main() -> None:
    from streamcheck import cli  # noqa: PLC0415 - the patches come before the command is imported

    moment, mutant = os.environ.get("STREAMCHECK_MOMENT"), os.environ.get("STREAMCHECK_MUTANT")
    if "--no-supervise" not in sys.argv:
        run = importlib.import_module("streamcheck.cli.run")
        run.Supervisor = functools.partial(run.Supervisor, command=[sys.executable, __file__])
        if mutant == "gives_up":
            importlib.import_module("tests.faults.mutants.state").gives_up()
    else:
        if moment:
            moments.arm(moment)
        if mutant:
            modules = [importlib.import_module(f"tests.faults.mutants.{name}") for name in MUTANTS]
            (apply,) = [getattr(module, mutant) for module in modules if hasattr(module, mutant)]
            apply()
    cli.main()


if __name__ == "__main__":
    main()
