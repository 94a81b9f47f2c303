"""Events on disk: nothing is lost or doubled, whenever the process ends, and what is delivered goes away."""

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.usage import sinks, spool
from claude_gateway_proxy.gateway.usage.sinks import FileSink
from claude_gateway_proxy.gateway.usage.spool import Spool
from claude_gateway_proxy.gateway.usage.spool_folder import orphans
from claude_gateway_proxy.gateway.usage.spool_reader import Reader

ROOMY = 10_000_000


def event(number: int, **more: Any) -> tuple[str, Mapping[str, object]]:
    ident = f"evt_{number}"
    return ident, {"id": ident, "text": "x" * 20, **more}


Make = Callable[..., Spool]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Make]:
    """Make spools below ``tmp_path``."""
    with ExitStack() as stack:

        def make(*, limit: int = ROOMY) -> Spool:
            spool = Spool(tmp_path, limit=limit, mark={})
            stack.callback(spool.close)
            return spool

        yield make


def delivered(reader: Reader) -> list[str]:
    found: list[str] = []
    while (batch := reader.batch()).events:
        found += [ident for ident, _ in batch.events]
        reader.ack(batch, {})
    return found


def numbers(count: int) -> list[str]:
    return [f"evt_{number}" for number in range(count)]


def test_what_ended_is_delivered_in_order_and_once(made: Make) -> None:
    kept = made()
    for number in range(5):
        kept.begin(*event(number))
        assert kept.end(*event(number))
    reader = Reader(kept.folder)
    assert delivered(reader) == numbers(5)
    assert delivered(reader) == delivered(Reader(kept.folder)) == []


def test_without_an_acknowledgement_events_come_again(made: Make) -> None:
    kept = made()
    kept.end(*event(0))
    assert Reader(kept.folder).batch() == Reader(kept.folder).batch()


def test_delivered_segments_go_once_their_requests_have_ended(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "SEGMENT_BYTES", 200)
    kept = made()
    kept.begin(*event(0))
    for number in range(1, 40):
        kept.begin(*event(number))
        kept.end(*event(number))
    reader = Reader(kept.folder)
    assert delivered(reader) == numbers(40)[1:]
    assert reader.trim(kept.first_open()) == 0
    kept.end(*event(0))
    assert delivered(reader) == ["evt_0"]
    before = kept.bytes
    kept.count(-reader.trim(kept.first_open()))
    assert kept.bytes < before / 10
    assert kept.bytes == sum(path.stat().st_size for path in kept.folder.glob("*.jsonl"))


def test_a_full_spool_drops_what_is_new_and_counts_it(made: Make) -> None:
    kept = made(limit=300)
    results = [kept.end(*event(number)) for number in range(10)]
    assert (results.count(True), kept.dropped) == (results.index(False), results.count(False))
    assert delivered(Reader(kept.folder)) == numbers(results.count(True))


def test_a_request_that_began_keeps_room_for_its_event(made: Make) -> None:
    kept = made(limit=2 * spool.ROOM)
    kept.begin(*event(0))
    # There is no room for what these two need at their ends.
    kept.begin(*event(1))
    kept.begin(*event(2))
    while kept.end(*event(99)):
        continue
    assert kept.end(*event(0, text="x" * (spool.ROOM - 100)))
    assert kept.bytes <= 2 * spool.ROOM


def test_a_full_disk_drops_events(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = made()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.write", full)
        assert not kept.end(*event(0))
    with monkeypatch.context() as patched:
        write = os.write
        patched.setattr("os.write", lambda fd, data: write(fd, data[:9]))
        assert not kept.end(*event(1))
    assert kept.end(*event(2))
    assert (kept.dropped, delivered(Reader(kept.folder))) == (2, ["evt_2"])


def test_what_ends_after_the_end_is_dropped(made: Make) -> None:
    kept = made()
    kept.end(*event(0))
    kept.close()
    kept.sync()
    assert not kept.end(*event(1))
    assert (kept.dropped, delivered(Reader(kept.folder))) == (1, ["evt_0"])


def test_a_folder_that_is_half_removed_delivers_nothing_again(
    made: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "SEGMENT_BYTES", 100)
    kept = made()
    for number in range(9):
        kept.end(*event(number))
    kept.close()
    reader = Reader(kept.folder)
    assert len(delivered(reader)) == 9
    unlink = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.name.startswith("00000004"):
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            reader.remove()
    assert 0 < len(list(kept.folder.glob("*.jsonl"))) < 9
    again = Reader(kept.folder)
    again.finish()
    assert delivered(again) == []
    again.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_living_folder_has_an_owner_and_a_dead_one_is_found(tmp_path: Path, made: Make) -> None:
    kept = made()
    other = made()
    (tmp_path / "lost+found").mkdir()
    assert list(orphans(tmp_path)) == []
    kept.close()
    (found,) = orphans(tmp_path)
    assert found.folder == kept.folder
    assert list(orphans(tmp_path)) == []
    found.held.close()
    assert other.folder != found.folder


def test_a_request_that_outlived_its_process_becomes_an_event(made: Make) -> None:
    kept = made()
    kept.begin(*event(0, outcome="interrupted"))
    kept.begin(*event(1, outcome="interrupted"))
    kept.end(*event(1, outcome="ok"))
    kept.close()
    reader = Reader(kept.folder)
    reader.finish()
    batch = reader.batch()
    assert [json.loads(text)["outcome"] for _, text in batch.events] == ["ok", "interrupted"]
    assert [ident for ident, _ in batch.events] == ["evt_1", "evt_0"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whenever_the_process_ends_each_request_is_one_event(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    home = tmp_path_factory.mktemp("spool")
    target = home / "sink.jsonl"
    asked = itertools.count()
    for _ in range(data.draw(st.integers(1, 5), label="lives")):
        _live(home, asked, data)
    _inherit(home, FileSink(target))
    lines = target.read_text().splitlines() if target.exists() else []
    assert sorted(_idents(lines)) == sorted(numbers(next(asked)))


def _live(home: Path, asked: Iterator[int], data: st.DataObject) -> None:
    """One process: it delivers what others left, and is killed at some moment."""
    sink = FileSink(home / "sink.jsonl")
    with closing(Spool(home / "spool", limit=ROOMY, mark=sink.mark())) as kept:
        own = Reader(kept.folder)
        _inherit(home, sink, killed=data.draw(st.booleans(), label="killed before it delivers what others left"))
        running: list[int] = []
        for step in data.draw(
            st.lists(st.sampled_from(["begin", "end", "deliver", "write"]), max_size=12), label="life"
        ):
            if step == "begin":
                running.append(next(asked))
                kept.begin(*event(running[-1]))
            elif step == "end" and running:
                kept.end(*event(running.pop(0)))
            elif step == "deliver":
                _deliver(own, sink)
            elif step == "write":
                _write_half(own, sink, home / "sink.jsonl")
                return


def _inherit(home: Path, sink: FileSink, *, killed: bool = False) -> None:
    for left in orphans(home / "spool"):
        with left.held:
            reader = Reader(left.folder)
            reader.finish()
            if not killed:
                _deliver(reader, sink)
                reader.remove()


def _write_half(reader: Reader, sink: FileSink, target: Path) -> None:
    """Deliver as a process does that is killed before it is acknowledged, in the middle of a line."""
    batch = reader.batch()
    if batch.events:
        sink.deliver(batch.events[:-1], reader.place.mark)
        with target.open("ab") as file:
            file.write(batch.events[-1][1][:7])


def _deliver(reader: Reader, sink: FileSink) -> None:
    while (batch := reader.batch()).events:
        reader.ack(batch, sink.deliver(batch.events, reader.place.mark))


@pytest.mark.parametrize("damage", [b"", b"{", b"[]\n", b'{"end": 5}\n', b"\xff\n", b'{"end": {"id": 7}}\n'])
def test_a_damaged_line_is_passed_over(made: Make, damage: bytes) -> None:
    kept = made()
    kept.end(*event(0))
    kept.close()
    (segment,) = kept.folder.glob("*.jsonl")
    with segment.open("ab") as file:
        file.write(damage)
    reader = Reader(kept.folder)
    reader.finish()
    assert delivered(reader) == ["evt_0"]


def _idents(lines: Sequence[str]) -> list[str]:
    return [json.loads(line)["id"] for line in lines]


def test_a_sink_file_that_is_rotated_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sink.jsonl"
    sink = FileSink(path)
    mark = sink.deliver([("evt_0", b'{"id":"evt_0"}')], sink.mark())
    path.rename(path.with_suffix(".1"))
    mark = sink.deliver([("evt_1", b'{"id":"evt_1"}')], mark)
    assert _idents(path.read_text().splitlines()) == ["evt_1"]
    path.write_text("")
    sink.deliver([("evt_2", b'{"id":"evt_2"}')], mark)
    assert _idents(path.read_text().splitlines()) == ["evt_2"]


def test_half_a_line_of_another_process_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "sink.jsonl"
    path.write_text('{"id":"evt_0"}\n{"id":"ev')
    sink = FileSink(path)
    sink.deliver([("evt_1", b'{"id":"evt_1"}')], sink.mark())
    assert _idents(path.read_text().splitlines()) == ["evt_0", "evt_1"]


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        (b"", 0),
        (b"[]", 0),
        (b'{"partialSuccess":{}}', 0),
        (b'{"partialSuccess":{"rejectedLogRecords":"7"}}', 7),
    ],
)
def test_a_collector_says_how_many_events_it_took_for_invalid(answer: bytes, count: int) -> None:
    assert sinks.rejected(answer) == count


def test_an_event_in_otlp_has_its_time_and_its_names() -> None:
    text = json.dumps({"id": "evt_1", "ended_at": "2026-01-02T03:04:05.678Z", "client": "ns/dev", "agent": ""}).encode()
    (resource,) = json.loads(sinks.otlp([("evt_1", text)]))["resourceLogs"]
    (record,) = resource["scopeLogs"][0]["logRecords"]
    assert record["timeUnixNano"] == "1767323045678000000"
    assert {each["key"] for each in record["attributes"]} == {"event.name", "event.id", "client"}
