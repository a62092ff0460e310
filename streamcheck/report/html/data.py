"""How good were the data: values of columns, events of partitions?"""

from streamcheck.core.readings import EngineReading
from streamcheck.core.wording import counted, number, percent
from streamcheck.report.record.recorder import Recorder
from streamcheck.report.tables import Table, cut


def columns(recorder: Recorder) -> Table:
    """What was wrong with the values of each column, and what they were."""
    rows = []
    for name, history in recorder.columns.items():
        if () not in history.ages:
            continue
        look = history.look(history.ages[()].total)
        if history.numeric:
            held = look.moment
            low, high = history.ends or (None, None)
            values = f"{number(low)} to {number(high)}, mean {number(held.mean)}, sd {number(held.sd)}"
        else:
            values = counted(len(history.names), "value") + (" or more" if len(look.counts) and look.counts[0] else "")
        shares = (percent(look.share(n)) for n in ("missing", "wrong_type", "non_finite"))
        limited = percent(look.share("out_of_range")) if history.column.range is not None else "–"
        kind = f"{history.column.kind.value}, {history.column.role.value.replace('_', ' ')}"
        rows.append((cut(name, 80), kind, f"{int(look['rows']):,}", *shares, limited, values))
    heads = ("column", "kind", "rows", "missing", "wrong type", "not finite", "out of range", "values")
    return Table(heads, tuple(rows))


def partitions(reading: EngineReading) -> Table:
    """What became of the events of each source partition."""
    rows = [
        (
            str(p.source),
            f"{p.accepted:,}",
            f"{p.late:,}",
            f"{sum(amount for _, amount in p.rejected):,}",
            ", ".join(f"{reason} {amount:,}" for reason, amount in p.rejected),
        )
        for p in reading.partitions
    ]
    return Table(("partition", "accepted", "late", "rejected", "reasons"), tuple(rows))
