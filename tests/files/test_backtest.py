"""`streamcheck backtest`: the same bytes for every form of file and as a run's, windows, ends, and mistakes."""

import json
import logging
import os
import random
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as papq
import pytest
from click.testing import CliRunner, Result

from streamcheck.adapters.files import jsonl, tables
from streamcheck.cli import main, replay
from streamcheck.cli.progress import ReplayProgress
from streamcheck.cli.service import Stop, Wiring, run_service
from streamcheck.config.load import loads
from streamcheck.core.journal import Floored, from_bytes
from streamcheck.core.types import SourcePartition
from streamcheck.runtime.backtest import Backtest
from streamcheck.runtime.loop import LoopRules
from streamcheck.runtime.telemetry import Snapshot, Telemetry
from streamcheck.testing import ManualClock, MemoryStore, ScriptedSource, raw_batch
from tests.files.conftest import CONFIG, START_MS


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def test(tmp_path: Path, config: Path) -> Callable[..., tuple[bytes, dict[str, Any]]]:
    """Run the command; the alerts' bytes and the result."""

    def run(*args: object, code: int = 0) -> tuple[bytes, dict[str, Any]]:
        out = tmp_path / "alerts.out", tmp_path / "result.out"
        done = invoke(config, *args, "--alerts", out[0], "--json", out[1])
        assert done.exit_code == code, done.output
        return out[0].read_bytes(), json.loads(out[1].read_bytes())

    return run


def invoke(*args: object) -> Result:
    return CliRunner().invoke(main, ["backtest", *map(str, args)])


def without_timing(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in ("timing", "input")}


def states(alerts: bytes) -> list[tuple[str, str]]:
    return [(record["monitor"], record["state"]) for record in map(json.loads, alerts.splitlines())]


# ------------------------------------------------------------------ forms
def test_every_form_and_cut_gives_the_same_bytes(
    test: Any, write_lines: Any, rows: Any, labels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    named = {}
    for name, of in (("p", rows), ("l", labels)):
        table = pa.Table.from_pylist(of)
        named[name, "jsonl"] = write_lines(f"{name}.jsonl", of)
        papq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=700)
        pacsv.write_csv(table, tmp_path / f"{name}.csv")
    found = [test("--predictions", named["p", "jsonl"], "--labels", named["l", "jsonl"])]
    for blocks, rows_cut in ((4 << 20, 65_536), (900, 13)):
        for module in (jsonl, tables):
            monkeypatch.setattr(module, "BLOCK_BYTES", blocks)
        monkeypatch.setattr(tables, "BATCH_ROWS", rows_cut)
        forms = ("jsonl", "csv", "parquet")
        found += [test("--predictions", tmp_path / f"p.{form}", "--labels", tmp_path / f"l.{form}") for form in forms]
    monkeypatch.setattr(replay, "OPEN_BYTES_MAX", 5_000)
    found.append(test("--predictions", named["p", "jsonl"], "--labels", named["l", "jsonl"]))
    fired = {monitor for monitor, state in states(found[0][0]) if state == "firing"}
    assert fired == {"shift", "shift-by-tier", "adwin", "floor"}
    assert "open_memory" not in caplog.text, "files wait for one another all the time"
    assert [alerts == found[0][0] for alerts, _ in found] == [True] * len(found)
    assert all(without_timing(result) == without_timing(found[0][1]) for _, result in found)
    books = found[0][1]["partitions"]["p[0]"]
    assert (books["accepted"] + books["late"], books["late"], books["rejected"]) == (3_600, 8, {})


def test_what_is_printed_and_counted(config: Path, write_lines: Any, rows: Any, labels: Any) -> None:
    files = write_lines("p.jsonl", rows), write_lines("l.jsonl", [*labels, 7, {"id": ""}, 8])
    done = invoke(config, "--predictions", files[0], "--labels", files[1])
    assert done.exit_code == 0
    *fired, summary, promised, of_labels, of_predictions = done.output.splitlines()
    assert fired[0].split("\t") == ["at", "monitor", "segment", "severity", "what"]
    assert "amount for tier=a rose from" in done.output
    assert summary.startswith("6,959 events from 2026-03-01T09:59:")
    assert f"{len(fired) - 1} alerts fired" in summary
    assert promised.startswith("False alarms promised: at most 1 a week; seen: ")
    assert promised.endswith("more of detectors that are not calibrated to the budget")
    assert of_labels == "l[0]: 3,356 accepted, 0 late, 3 rejected (missing id 1, not an object 2)"
    assert of_predictions == "p[0]: 3,592 accepted, 8 late, 0 rejected"


def test_the_result_holds_what_a_report_needs(
    test: Any, config: Path, write_lines: Any, rows: Any, labels: Any
) -> None:
    config.write_text(CONFIG.replace("version: 1\n", "version: 1\nkafka:\n  bootstrap_servers: secret:9092\n# note\n"))
    args = "--predictions", write_lines("p.jsonl", rows), "--labels", write_lines("l.jsonl", labels)
    alerts, found = test(*args)
    assert "name: bt\n" in found["config_text"]
    assert "secret" not in found["config_text"]
    fired = [json.loads(line) for line in alerts.splitlines() if b'"firing"' in line]
    assert [(a["id"], a["fired_at"]) for a in found["alerts"]] == [(a["id"], a["pane_end"]) for a in fired]
    ends = {a["id"]: a["pane_end"] for a in map(json.loads, alerts.splitlines()) if a["state"] == "resolved"}
    assert [a["resolved_at"] for a in found["alerts"]] == [ends.get(a["id"]) for a in fired]
    tier = next(a for a in found["alerts"] if a["monitor"] == "shift-by-tier")
    begin = int(datetime.fromisoformat(tier["pane_start"]).timestamp() * 1000)
    assert len(tier["samples"]) == 6
    for sample in tier["samples"]:
        row = rows[sample["offset"]]
        assert (sample["topic"], sample["partition"], row["tier"]) == ("p", 0, tier["segment"]["tier"])
        assert begin <= row["ts"] < begin + 1_000
        assert float(sample["value"]) == pytest.approx(row["amount"], rel=1e-3)
    course = next(s for s in found["series"] if s["monitor"] == "shift-by-tier" and s["segment"] == tier["segment"])
    at = course["t"].index(begin + 1_000)
    assert (course["low"][at], course["high"][at]) == (tier["value"], tier["value"])
    assert (course["rows"][at], course["score"][at], course["drifting"][at]) == (tier["rows"], tier["score"], 1)
    amount = next(column for column in found["columns"] if column["column"] == "amount")
    counted = [row["amount"] for at, row in enumerate(rows) if at % 500 != 7]
    assert sum(amount["rows"]) == found["partitions"]["p[0]"]["accepted"] == len(counted)
    assert sum(amount["missing"]) == counted.count(None)
    usable = [value for value in counted if value is not None]
    ends = [[end for end in amount[name] if end is not None] for name in ("low", "high")]
    assert (min(ends[0]), max(ends[1])) == (min(usable), max(usable))
    in_bins = sum(sum(bins) for bins in amount["bins"] if bins)
    assert len(usable) - 1_100 < in_bins <= len(usable) - 1_000, "bins are laid out by the first 1,000 values"
    country = next(column for column in found["columns"] if column["column"] == "country")
    assert country["categories"] == sorted(country["categories"], key=lambda name: -total(country, name))
    assert total(country, "DE") == sum(row["country"] == "DE" for at, row in enumerate(rows) if at % 500 != 7)
    joined = found["labelled"]
    assert joined["rows"] == found["join"]["labels_matched"] == joined["delays"][-1] == joined["all"]["rows"]
    assert sum(each["rows"] for each in joined["segments"]) == joined["rows"]
    assert sum(each["rows"] for each in joined["over_time"]) == joined["rows"]
    of = [each["qualities"]["accuracy"] for each in (joined["all"], *joined["segments"], *joined["over_time"])]
    assert all(each["low"] <= each["value"] <= each["high"] for each in of)
    assert 30_000 < joined["delay_mean_ms"] < 33_000
    promise = found["promise"]
    assert promise["seen"] + promise["outside"] == found["fired"]
    assert (promise["per_week"], promise["only_false"]) == (1.0, False)
    assert promise["outside"] == sum(a["monitor"] in ("adwin", "floor") for a in found["alerts"])


def total(column: dict[str, Any], name: str) -> int:
    """Rows of one category."""
    place = column["categories"].index(name)
    return sum(counts[place] for counts in column["counts"])


def test_files_wait_for_one_another_within_their_memory(
    test: Any, write_lines: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, turn = [], Backtest._turn

    def watched(self: Backtest) -> None:
        turn(self)
        held.append(sum(partition.open_bytes for partition in self.engine.partitions.values()))

    monkeypatch.setattr(Backtest, "_turn", watched)
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 2_000)
    first, second = write_lines("p.jsonl", rows[:-1_200]), write_lines("q.jsonl", rows[-1_200:])  # one far ahead
    peaks, found = [], []
    for limit in (1 << 30, 20_000):
        monkeypatch.setattr(replay, "OPEN_BYTES_MAX", limit)
        held.clear()
        found.append(test("--predictions", first, "--predictions", second)[0])
        peaks.append(max(held))
    assert found[0] == found[1]
    assert peaks[0] > 40_000
    assert peaks[1] < 30_000


# ------------------------------------------------------------------ replay = live
class Kept:
    """An alert sink and a journal sink: bytes in lists."""

    def __init__(self) -> None:
        self.alerts: list[bytes] = []
        self.journal: dict[int, bytes] = {}

    def open(self, lineage: str) -> None:
        return None

    def claim(self, arrived: Any) -> None:
        pass

    def send(self, first: Any, lines: Any, *_: Any) -> None:
        if isinstance(first, int):
            self.journal.update(enumerate(lines, first))
        else:
            self.alerts += [entry.value for entry in first]

    def close(self) -> None:
        pass


def live(script: Callable[[ManualClock], list[Any]], config: str = CONFIG) -> tuple[Kept, ScriptedSource]:
    """A run over scripted topics, up to the script's end."""
    clock, kept, stop = ManualClock(), Kept(), Stop()
    source = ScriptedSource(script(clock), on_end=stop.set)
    start = dict.fromkeys(source.partitions(), 0)
    wiring = Wiring(source, MemoryStore(), lambda: start, alerts=kept, journal=kept)  # type: ignore[arg-type]
    telemetry = Telemetry(Snapshot("bt", "0", started_ms=0, beat_s=0.0))
    run_service(loads(config, {}).plan, wiring, LoopRules(commit_every_s=0.0), clock, telemetry, stop)
    return kept, source


def test_a_backtest_of_what_was_exported_equals_the_run(test: Any, rows: Any, labels: Any, tmp_path: Path) -> None:
    rng = random.Random(3)
    streams: dict[tuple[str, int], list[Any]] = {
        ("p", 0): rows[0::2],
        ("p", 1): [row for at, row in enumerate(rows[1::2]) if not 600 < at < 1_500],
        ("l", 0): labels,
    }
    for events in streams.values():
        for _ in range(20):
            events.insert(rng.randrange(len(events)), b"garbage")

    def script(clock: ManualClock) -> list[Any]:
        offsets, made = dict.fromkeys(streams, 0), []
        for step in range(100):
            for key, events in streams.items():
                cut = events[len(events) * step // 100 : len(events) * (step + 1) // 100]
                if key == ("p", 1) and 33 <= step < 83:
                    cut = []  # silent, so that the others close its panes; it comes back with a floor
                elif key == ("p", 1) and step == 83:
                    cut = events[len(events) * 33 // 100 : len(events) * 84 // 100]
                if cut:
                    stamps = [START_MS + 3_600_000] * len(cut)
                    made.append(raw_batch(*key, cut, first_offset=offsets[key], times_ms=stamps))
                    offsets[key] += len(cut)
            made.append(lambda: clock.advance(1.8))
        return [*made, *[lambda: clock.advance(5.0)] * 40]

    kept, source = live(script)
    floors = [entry for entry in map(from_bytes, kept.journal.values()) if isinstance(entry, Floored)]
    assert floors, "the run must have decided something that the topics do not tell"
    (tmp_path / "journal.jsonl").write_bytes(b"".join(line + b"\n" for _, line in sorted(kept.journal.items())))
    files = []
    for topic, partition in streams:
        path = tmp_path / f"{topic}{partition}.jsonl"
        log = source._log[SourcePartition(topic, partition)]
        path.write_bytes(b"".join(value + b"\n" for batch in log for value in batch.values))  # type: ignore[operator]
        files.append(path)
    args = "--predictions", files[0], "--predictions", files[1], "--labels", files[2]
    alerts, result = test(*args, "--journal", tmp_path / "journal.jsonl")
    assert alerts == b"".join(line + b"\n" for line in kept.alerts)
    assert len(kept.alerts) > 5
    without, other = test(*args)
    assert (without != alerts, other["lineage"] != result["lineage"]) == (True, True)


# ------------------------------------------------------------------ windows and ends
def test_from_and_to_bound_predictions_and_labels_are_read_on(
    test: Any, config: Path, write_lines: Any, rows: Any, labels: Any
) -> None:
    files = write_lines("p.jsonl", rows), write_lines("l.jsonl", labels)
    args = "--predictions", files[0], "--labels", files[1]
    _, result = test(*args, "--from", "2026-03-01T10:00:20Z", "--to", "2026-03-01T10:02:40Z")
    wanted = [row for row in rows if START_MS + 20_000 <= row["ts"] < START_MS + 160_000]
    books = result["partitions"]["p[0]"]
    assert books["accepted"] + books["late"] == len(wanted)
    assert result["from"] >= "2026-03-01T10:00:20"
    assert result["to"] < "2026-03-01T10:02:40"
    assert result["partitions"]["l[0]"]["accepted"] == sum(row["known"] >= START_MS + 20_000 for row in labels)
    config.write_text(CONFIG.replace("horizon: 1h", "horizon: 10s"))
    _, short = test(*args, "--to", "2026-03-01T10:02:40Z")
    assert short["partitions"]["l[0]"]["accepted"] == sum(row["known"] < START_MS + 170_000 for row in labels)


def test_volume_says_nothing_once_predictions_have_ended(test: Any, write_lines: Any, rows: Any, labels: Any) -> None:
    later = [{"id": f"x{at}", "known": START_MS + 200_000 + 3_000 * at, "truth": True} for at in range(300)]
    alerts, _ = test(
        "--predictions", write_lines("p.jsonl", rows), "--labels", write_lines("l.jsonl", [*labels, *later])
    )
    assert [each for each in states(alerts) if "volume" in each[0]] == []


def test_a_partition_that_ends_early_holds_nothing_back(
    test: Any, config: Path, write_lines: Any, rows: Any, labels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Watched(ReplayProgress):
        def __call__(self, done: int, total: int, rows: int) -> None:
            seen.append((done, total, rows))

    monkeypatch.setattr("streamcheck.cli.backtest.ReplayProgress", Watched)
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 3_000)
    few = labels[:200]
    few.append({"id": "far", "known": few[-1]["known"] + 25_000, "truth": True})  # set aside, believed at the end
    config.write_text(CONFIG.replace("pane: 1s", "max_jump: 20s, pane: 1s"))
    _, result = test("--predictions", write_lines("p.jsonl", rows), "--labels", write_lines("l.jsonl", few))
    assert result["partitions"]["l[0]"] == {"accepted": 201, "late": 0, "rejected": {}}
    assert result["complete"] is True
    assert seen[-1] == (seen[-1][1], seen[-1][1], 3_801)


def test_rows_without_time_by_step(test: Any, config: Path, tmp_path: Path) -> None:
    text = CONFIG.replace("time: {field: ts, unit: ms}", "time: {step: 50ms}").replace("    id: id\n", "", 1)
    config.write_text("\n".join(line for line in text.splitlines() if "labels:" not in line and "floor" not in line))
    rng = random.Random(6)
    lines = [f"{rng.gauss(10 + 20 * (at > 2_000), 1)},DE,a,true" for at in range(3_000)]
    (tmp_path / "p.csv").write_text("\n".join(["amount,country,tier,fraud", *lines]))
    alerts, result = test("--predictions", tmp_path / "p.csv")
    assert result["from"] == "1970-01-01T00:00:00.000Z"
    assert result["to"] == "1970-01-01T00:02:29.950Z"
    assert ("shift", "firing") in states(alerts)


def test_ctrl_c_gives_what_was_found_until_then(
    test: Any, write_lines: Any, rows: Any, labels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Impatient(ReplayProgress):
        calls = 0

        def __call__(self, done: int, total: int, rows: int) -> None:
            Impatient.calls += 1
            if Impatient.calls == 60:
                os.kill(os.getpid(), signal.SIGINT)

    args = "--predictions", write_lines("p.jsonl", rows), "--labels", write_lines("l.jsonl", labels)
    whole, _ = test(*args)
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 9_000)
    monkeypatch.setattr("streamcheck.cli.backtest.ReplayProgress", Impatient)
    alerts, result = test(*args, code=1)
    assert result["complete"] is False
    assert 0 < result["events"] < len(rows) + len(labels)
    assert alerts
    assert whole.startswith(alerts)
    assert whole != alerts


# ------------------------------------------------------------------ mistakes
def test_mistakes_name_the_way_out(
    config: Path, write_lines: Any, rows: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_lines("p.jsonl", rows[:10])
    done = invoke(config, "--predictions", tmp_path / "none.jsonl")
    assert (done.exit_code, "no such file" in done.output) == (1, True)
    done = invoke(config, "--predictions", file, "--from", "yesterday")
    assert (done.exit_code, "such as 2026-03-01T00:00:00Z" in done.output) == (2, True)
    done = invoke(config, "--predictions", file, "--from", "2026-03-01T00:00:00Z", "--to", "2026-03-01T00:00:00Z")
    assert (done.exit_code, "--from must lie before --to" in done.output) == (2, True)
    (tmp_path / "j").write_text('{"kind":"open","lineage":"ab","positions":[["p",0,0],["p",1,5],["l",0,0]]}\n')
    done = invoke(config, "--predictions", file, "--labels", file, "--journal", tmp_path / "j")
    assert (done.exit_code, "p[1] stand on one side only" in done.output) == (1, True)
    (tmp_path / "j").write_text("")
    assert "is empty" in invoke(config, "--predictions", file, "--journal", tmp_path / "j").output
    done = invoke(config, "--predictions", file, "--alerts", tmp_path / "no" / "where")
    assert (done.exit_code, "cannot be written" in done.output) == (1, True)
    with caplog.at_level(logging.WARNING):
        assert invoke(config, "--predictions", file).exit_code == 0
    assert "no --labels: monitors of labelled rows have nothing to look at" in caplog.messages
    config.write_text(CONFIG.replace("    time: {field: ts, unit: ms}\n", ""))
    done = invoke(config, "--predictions", file)
    assert (done.exit_code, "expected {field: …, unit: …}, or {step: 1s}" in done.output) == (2, True)
    lines = [line for line in CONFIG.splitlines() if "labels:" not in line and "floor" not in line]
    config.write_text("\n".join(lines))
    done = invoke(config, "--predictions", file, "--labels", file)
    assert (done.exit_code, "has no labels stream" in done.output) == (2, True)
