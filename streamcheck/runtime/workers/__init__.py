"""Several cores: processes that decode, for one owner that feeds the engine.

The owner reads, hands records out in parts and takes batches back in the order in which it handed them out, so that the
engine sees what it would have seen with one process: the same rows of each source partition in offset order. Which
worker decoded a part, how the parts are cut and which codes a worker gave to categories decide nothing, as for any
batching. Records and columns lie in shared memory; what passes through the sockets is a few hundred bytes a part.
"""

from streamcheck.runtime.workers.pool import Pool

__all__ = ["Pool"]
