"""Several cores: processes that decode, for one owner that feeds the engine.

The owner hands out parts, of records that it has read or of files that it has not, and takes batches back in the order
in which it handed them out, so that the engine sees what it would have seen with one process: the same rows of each
source partition in offset order. Which worker decoded a part, how the parts are cut and which codes a worker gave to
categories decide nothing, as for any batching. Records and columns lie in shared memory; what passes through the
sockets is a few hundred bytes a part. Rows of a section are numbered by the owner, when they come back.
"""

from streamcheck.runtime.workers.pool import Pool

__all__ = ["Pool"]
