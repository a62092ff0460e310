"""Files as sources of a backtest, and as where its alerts go."""

import os

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
# Arrow reads this when it is imported. Its own default, jemalloc, hands pages back to the system after each batch and
# faults them in again for the next, a fifth of a backtest's CPU time; what malloc frees, numpy takes next.
