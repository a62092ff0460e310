"""How likely is it that chance alone puts so many errors into one segment?"""

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import hypergeom

from streamcheck.core.worst import as_many_by_chance


@pytest.mark.parametrize("n", [1, 7, 300, 200_000])
def test_it_is_the_tail_of_the_hypergeometric_distribution(n: int) -> None:
    rng = np.random.default_rng(n)
    for _ in range(200):
        total, rows = rng.integers(0, n + 1, 2).tolist()
        usual = total * rows / n
        inside = int(np.clip(round(usual + 5 * rng.standard_normal() * (usual + 1) ** 0.5), 0, min(total, rows)))
        expected = float(hypergeom.sf(inside - 1, n, total, rows))
        assert as_many_by_chance(inside, n, total, rows) == pytest.approx(expected, rel=1e-8, abs=1e-250)


def test_scipy_stats_is_not_loaded_for_it() -> None:
    asked = "import sys, streamcheck.cli.service, streamcheck.config.load; print('scipy.stats' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True).stdout
    assert said == "False\n"
