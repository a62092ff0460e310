"""river's parameters, the same on all sides; each is given, so that a change of its defaults makes no difference."""

from typing import Any

Params = dict[str, Any]
ADWIN_PARAMS: Params = {"delta": 0.002, "clock": 32, "max_buckets": 5, "min_window_length": 5, "grace_period": 10}
PAGE_HINKLEY_PARAMS: Params = {"min_instances": 30, "delta": 0.1, "threshold": 50.0, "alpha": 0.9999}
DDM_PARAMS: Params = {"warm_start": 30, "warning_threshold": 2.0, "drift_threshold": 3.0}
WINDOW_ROWS = 1000
