"""Log lines that never hold anything up."""

import json
import os
import threading

from tests.support.processes.waiting import until

from claude_gateway_proxy.gateway.telemetry.journal import Journal


def _read_all(fd: int) -> list[dict[str, object]]:
    with os.fdopen(fd, "rb") as stream:
        return [json.loads(line) for line in stream]


def test_lines_are_written_whole_and_in_order() -> None:
    reader, writer = os.pipe()
    journal = Journal(writer)
    for number in range(500):
        journal.event("request", {"number": number, "text": "ü\n"})
    journal.write('{"event": "from logging"}\n')
    journal.close()
    os.close(writer)
    lines = _read_all(reader)
    assert [line["number"] for line in lines[:-1]] == list(range(500))
    assert set(lines[0]) == {"time", "level", "event", "number", "text"}
    assert lines[-1] == {"event": "from logging"}


def test_several_threads_may_write() -> None:
    reader, writer = os.pipe()
    journal = Journal(writer)

    def write() -> None:
        for number in range(200):
            journal.event("x", {"number": number})

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    os.close(writer)
    assert len(_read_all(reader)) == 800


def test_a_reader_that_stalls_costs_lines_and_never_blocks_the_writer() -> None:
    reader, writer = os.pipe()
    journal = Journal(writer, limit=100_000)
    for _ in range(5000):
        journal.event("x", {"text": "y" * 1000})
    with os.fdopen(reader, "rb") as stream:
        read: list[bytes] = []
        thread = threading.Thread(target=lambda: read.extend(stream))
        thread.start()
        until(lambda: any(b"log_lines_dropped" in line for line in list(read)), what="the note")
        journal.event("after", {})
        until(lambda: any(b'"after"' in line for line in list(read)), what="the next line")
        journal.close()
        os.close(writer)
        thread.join()
    lines = [json.loads(line) for line in read]
    dropped = sum(line["count"] for line in lines if line["event"] == "log_lines_dropped")
    assert dropped + sum(line["event"] == "x" for line in lines) == 5000


def test_without_a_reader_life_goes_on() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    journal = Journal(writer)
    journal.event("x", {})
    until(lambda: journal._limit == 0, what="the broken pipe")
    journal.event("y", {})
    journal.close()
    os.close(writer)
