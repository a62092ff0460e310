"""Scenario tests as tests of pytest: every file `*.test.yaml` that it comes across; see docs/scenarios.md."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from streamcheck.config.scenarios import Scenario, Suite

pytest.register_assert_rewrite("streamcheck.contracts")

SUFFIX = ".test.yaml"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScenarioFile | None":
    """Take files of scenario tests."""
    if not file_path.name.endswith(SUFFIX):
        return None
    made: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    return made


class ScenarioFile(pytest.File):
    """One file; mistakes in it, or in its config, are all told when it is collected."""

    def collect(self) -> Iterator["ScenarioItem"]:
        """Each of its tests."""
        from streamcheck.config.scenarios import load_suite  # noqa: PLC0415 - numpy: only where there are such files
        from streamcheck.errors import ConfigError  # noqa: PLC0415

        try:
            suite = load_suite(str(self.path))
        except ConfigError as error:
            raise self.CollectError(str(error)) from error
        for scenario in suite.scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.name, scenario=scenario, suite=suite)


class DifferenceError(AssertionError):
    """Alerts did not come as expected; the text is that of `streamcheck test`."""


class ScenarioItem(pytest.Item):
    """One scenario."""

    def __init__(self, *, scenario: "Scenario", suite: "Suite", **more: Any) -> None:
        super().__init__(**more)
        self._scenario, self._suite = scenario, suite

    def runtest(self) -> None:
        """Compare the alerts that come with those that are expected. Raises DifferenceError."""
        from streamcheck.cli.scenarios import differences, run  # noqa: PLC0415

        told = "\n".join(differences(run(self._scenario, self._suite)))
        if told:
            raise DifferenceError(told)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The differences alone; of other failures pytest's own traceback."""
        if isinstance(excinfo.value, DifferenceError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the test stands."""
        return self.path, self._scenario.line - 1, self.name
