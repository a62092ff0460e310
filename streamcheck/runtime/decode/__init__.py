"""What does a record say? Bytes of one source partition in, columns and rejects out.

The parser is msgspec, and only msgspec: its answer to an odd document is part of the semantics, so nothing falls back
to another parser. (bench/decode.py measures the whole, bench/parsers.py the others.) Each event is judged in this
order; the first that applies is the reason why it is rejected:

| what is found | reason |
|---|---|
| the source could not produce a record at this offset | the source's own words |
| headers that are no headers, or more than 256 of them, where headers are wanted | bad headers |
| no value | tombstone |
| more than `message_bytes_max` bytes; nothing is parsed | too large |
| no JSON (RFC 8259): truncated, trailing text, a byte order mark, a lone surrogate | not JSON |
| invalid UTF-8 in a named field; nested deeper than 500 levels | not JSON |
| a number, text, list, true, false or null at the top | not an object |
| `json_schema`, `avro`, `protobuf`: no zero and schema number before the event | no schema id |
| `avro`, `protobuf`: a schema that nobody knows, is of another kind, or cannot be used | that, with its number |
| `avro`, `protobuf`: bytes that are no event by their schema | not Avro by … |
| another envelope than the stream's, or none | not a CloudEvent, not a Debezium event |
| a Debezium event of a row that was deleted, or of none | deleted, no row |
| id absent, null or "" | missing id |
| id neither text nor whole number, or longer than 256 characters | bad id |
| time field absent or null | missing time |
| time not in the declared unit, or outside 1970-01-01 to 9999-12-31 UTC | bad time |
| no time field is declared and the record has no timestamp in that range | bad time |
| time field more than `max_future_ms` past the record's own timestamp (where the record has one) | time in future |
| labels stream: label absent or null | missing label |
| labels stream: label that its column cannot take | bad label |
| KPI stream: value absent or null | missing value |
| KPI stream: value that is no number | bad value |

Ids: a whole number counts as its decimal text. Times: numbers in s, ms, us or ns, floored to ms; whole numbers exactly,
fractional seconds after rounding to the microsecond (so that …200.123 is 123 ms, although no float is). ISO 8601 text:
see `times`. What no column, id or time names is checked for JSON grammar only: invalid UTF-8 or 1e400 in it does no
harm. Of duplicate keys the last one counts. NaN and Infinity are no JSON, but Python's json.dumps writes them: each is
read as a number that no float can hold.

Avro and Protobuf events are judged by the same tables; `avro` and `protobuf` say what their types are in JSON. Keys and
headers are texts, of which numeric columns and times in a unit take the number (`metadata`).

Columns of files (CSV, Parquet: `core.columns`) are judged in the same order by the same tables, from "missing id" on.

One bad field spoils that field, not its event. Status of a column's value:

| value | numeric | categorical | binary |
|---|---|---|---|
| absent or null, or a part of its dotted path is | MISSING | MISSING | MISSING |
| a number | OK, nearest float | OK: its text | OK: 1 and 0, else WRONG_TYPE |
| NaN, ±Infinity, a number beyond the range of a float (1e400) | NON_FINITE | NON_FINITE | NON_FINITE |
| true, false | WRONG_TYPE | OK: "true", "false" | OK: 1 and 0 |
| text | WRONG_TYPE | OK | OK: "1", "true" and "0", "false", else WRONG_TYPE |
| list or object; a part of its path is no object | WRONG_TYPE | WRONG_TYPE | WRONG_TYPE |

Of a text longer than 64 characters a category keeps the first 40, "…" and 8 hex digits of a digest of the whole. The
text of a number: decimal digits for a whole one (1, 1.0 and 1e0 are all "1"), else Python's shortest repr. A binary
column with `positive` takes every value that has a text: 1 where it equals `positive`, else 0.
"""

from streamcheck.runtime.decode.decoder import Decoder

__all__ = ["Decoder"]
