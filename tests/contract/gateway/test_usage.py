"""Usage events of the real process: killed at any moment, a sink that is away, a full spool, every kind of sink."""

import http.server
import itertools
import json
import random
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.lives import KilledGateway, Life
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.waiting import until

from claude_gateway.contract.bundle import Bundle
from claude_gateway.names import USAGE_DIR
from claude_gateway_scripted import Scripted

KILLS: Final = 50
CLIENTS: Final = 4
TLS: Final = ssl.create_default_context()
"""Made once: it takes longer than a request, which does not use it."""
CLIENT_KEY: Final = "cgw_usage-0123456789abcdef"
BODY: Final = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "the secret of the house"}]}


class Sink:
    """A server that takes events: while it is ``away`` it answers 503, while it is ``mute`` it takes them silently."""

    def __init__(self) -> None:
        self.away = self.mute = False
        self.posts: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if not outer.away:
                    outer.posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if not outer.mute:
                    self.send_response(503 if outer.away else 200)
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events as they came; one may have come again."""
        return [json.loads(line) for _, body in list(self.posts) for line in body.splitlines()]


@contextmanager
def events_sink() -> Iterator[Sink]:
    """Run a sink on a free port."""
    sink = Sink()
    try:
        yield sink
    finally:
        sink.server.shutdown()
        sink.server.server_close()


def configuration(scripted: Scripted) -> Bundle:
    return bundle([route("m", targets=[target(base_url=scripted.url)])], keys={CLIENT_KEY: "ns/dev"})


def serving(scripted: Scripted, **settings: object) -> LoneGateway:
    return LoneGateway(configuration(scripted), **settings)


def ask(gateway: LoneGateway | Life, session: str = "5e55") -> str:
    """Send one request; return its id once the answer is complete."""
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "x-claude-code-session-id": session}
    answer = httpx.post(f"{gateway.url}/v1/messages", json=BODY, headers=headers, timeout=30, verify=TLS)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["request-id"])


def _left(spool: Path) -> int:
    """How many folders there are besides that of the process that lives."""
    return len(list(spool.glob("[0-9a-f]*"))) - 1


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Traffic:
    """Clients that ask a gateway until it is killed; each request names a session of its own."""

    def __init__(self, *, seed: int) -> None:
        self.asked: set[str] = set()
        self.answered: set[str] = set()
        self._numbers = itertools.count()
        self._chance = random.Random(seed)

    def until_killed(self, gateway: Life) -> None:
        """Ask with several requests at a time, and kill the gateway among them."""
        killed = threading.Event()

        def work() -> None:
            while not killed.is_set():
                session = f"session-{next(self._numbers)}"
                self.asked.add(session)
                with suppress(httpx.HTTPError):
                    ask(gateway, session)
                    self.answered.add(session)

        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in range(CLIENTS):
                pool.submit(work)
            time.sleep(self._chance.uniform(0.05, 0.3))
            gateway.kill()
            killed.set()

    def check(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Check that each request is one event, and that those that were answered are complete, but for the last."""
        sessions = [event["session"] for event in events]
        assert len(sessions) == len(set(sessions))
        assert self.answered <= set(sessions) <= self.asked
        interrupted = {event["session"] for event in events if event["outcome"] == "interrupted"}
        # The process may be killed between the end of an answer and its event.
        assert len(self.answered & interrupted) <= CLIENTS * KILLS // 10
        assert all("cost_usd" in event for event in events if event["session"] not in interrupted)


def test_over_fifty_kills_each_request_is_one_event(scripted: Scripted) -> None:
    traffic = Traffic(seed=50)
    with events_sink() as sink, KilledGateway(configuration(scripted), usage_sink=sink.url) as gateway:
        for number in range(KILLS):
            # Every so often the server is away, or takes events and its acknowledgement is lost.
            sink.away, sink.mute = number % 5 == 1, number % 5 == 3
            with gateway.life() as life:
                traffic.until_killed(life)
        sink.away = sink.mute = False
        with gateway.life() as life:
            traffic.asked.add("last")
            ask(life, "last")
            until(lambda: _left(gateway.folder / USAGE_DIR) == 0, what="the end of what was left")
            until(lambda: any(each["session"] == "last" for each in sink.events), what="the last event")
        came = sink.events
    events = {each["id"]: each for each in came}
    assert len(came) > len(events)
    # An event that came again, because its acknowledgement was lost, is the same to the byte.
    assert all(events[each["id"]] == each for each in came)
    traffic.check(list(events.values()))


def test_over_kills_a_file_has_each_request_once(scripted: Scripted, tmp_path: Path) -> None:
    traffic, sink = Traffic(seed=8), tmp_path / "events.jsonl"
    with KilledGateway(configuration(scripted), usage_sink=f"file://{sink}") as gateway:
        for _ in range(KILLS // 5):
            with gateway.life() as life:
                traffic.until_killed(life)
        with gateway.life():
            until(lambda: _left(gateway.folder / USAGE_DIR) == 0, what="the end of what was left")
    traffic.check(lines(sink))


def test_an_event_says_who_where_and_how_much_and_nothing_of_the_content(scripted: Scripted) -> None:
    with events_sink() as sink, serving(scripted, usage_sink=f"{sink.url}/in?x=1") as gateway:
        ident = ask(gateway)
        (event,) = until(lambda: sink.events, what="an event")
        assert event["request_id"] == ident
        assert (event["client"], event["route"], event["model"], event["session"]) == ("ns/dev", "ns/m", "m", "5e55")
        assert (event["status"], event["outcome"], event["input_tokens"] > 0, event["output_tokens"] > 0) == (
            200,
            "ok",
            True,
            True,
        )
        assert "cost_usd" in event
        assert b"secret of the house" not in sink.posts[0][1]
        assert CLIENT_KEY.encode() not in sink.posts[0][1]


def test_a_caller_who_is_not_known_is_in_no_event(scripted: Scripted) -> None:
    with events_sink() as sink, serving(scripted, usage_sink=sink.url) as gateway:
        assert httpx.post(f"{gateway.url}/v1/messages", json=BODY).status_code == 401
        ask(gateway)
        until(lambda: sink.events, what="an event")
        assert len(sink.events) == 1


def test_a_sink_that_is_away_holds_up_nothing_and_gets_all_events_later(scripted: Scripted) -> None:
    with events_sink() as sink, serving(scripted, usage_sink=sink.url) as gateway:
        sink.away = True
        asked = [ask(gateway) for _ in range(20)]
        assert gateway.event("usage_not_delivered")["error"] == "127.0.0.1 answered 503"
        sink.away = False
        until(lambda: len(sink.events) >= 20, what="all events")
        assert [each["request_id"] for each in sink.events] == asked


def test_a_full_spool_drops_events_and_no_request(scripted: Scripted) -> None:
    with (
        events_sink() as sink,
        serving(scripted, usage_sink=sink.url, usage_spool_bytes=65536) as gateway,
    ):
        sink.away = True
        for _ in range(120):
            ask(gateway)
        metrics = gateway.internal("/metrics").decode()
        (dropped,) = [
            line
            for line in metrics.splitlines()
            if line.startswith('claude_gateway_usage_events_total{result="dropped"}')
        ]
        count = int(float(dropped.split()[-1]))
        assert 0 < count < 120
        sink.away = False
        until(lambda: len(sink.events) >= 120 - count, what="the other events")
        # The first one at once; further ones are logged together, once a minute.
        assert 0 < gateway.event("usage_dropped")["count"] <= count


def test_a_folder_that_cannot_be_written_keeps_no_gateway_from_serving(scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serving(scripted, usage_sink="http://127.0.0.1:9/", usage_spool_dir=tmp_path / "file") as gateway:
        assert gateway.event("usage_unavailable")["level"] == "error"
        ask(gateway)


def test_an_opentelemetry_collector_gets_logs_with_headers_of_a_file(scripted: Scripted, tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer sink-token-0123\nX-Team: red\n")
    with (
        events_sink() as sink,
        serving(scripted, usage_sink=f"otlp+{sink.url}/v1/logs", usage_sink_headers_file=headers) as gateway,
    ):
        ident = ask(gateway)
        sent, body = until(lambda: sink.posts, what="a post")[0]
        assert (sent["authorization"], sent["x-team"], sent["content-type"]) == (
            "Bearer sink-token-0123",
            "red",
            "application/json",
        )
        (resource,) = json.loads(body)["resourceLogs"]
        (record,) = resource["scopeLogs"][0]["logRecords"]
        assert json.loads(record["body"]["stringValue"])["request_id"] == ident
        named = {each["key"]: each["value"]["stringValue"] for each in record["attributes"]}
        assert named["event.name"] == "claude_gateway.usage"
        assert named["event.id"].startswith("evt_")
        assert "sink-token-0123" not in gateway.process.output
