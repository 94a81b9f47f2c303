"""What ``spend`` reads and shows: sums that match the lines, whatever else a log has, and bounded memory."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.spending import dayfiles, lines, prometheus, table, totals
from claude_gateway.cli.spending.dayfiles import DayFiles
from claude_gateway.cli.spending.totals import Period, Totals, moment, properties
from claude_gateway.contract import money
from claude_gateway.contract.spent import Sum
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.telemetry.record import Record

NOW = datetime(2026, 10, 15, 12, 30, tzinfo=UTC)
WEEK = Period(NOW - timedelta(days=7), NOW)


def _line(at: datetime = NOW - timedelta(hours=1), **more: object) -> bytes:
    """A line of the gateway's log, as the gateway itself writes its fields."""
    record = Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=0.0, client="ns/dev", route="ns/r")
    record.billed_model, record.cost, record.input_tokens, record.output_tokens = "opus", 1_500_000_000, 10, 2
    for name, value in more.items():
        setattr(record, name, value)
    return json.dumps({"time": at.isoformat(), "event": "request", **record.fields(now=1.0)}).encode() + b"\n"


def _read(*data: bytes, by: str = "client,model", period: Period = WEEK) -> Totals:
    found = Totals(properties(by))
    lines.read(io.BytesIO(b"".join(data)), found, period)
    return found


def test_requests_are_summed_by_what_was_asked_for() -> None:
    found = _read(
        _line(session="a", agent="x", agent_type="Explore"),
        _line(session="a", agent="x", agent_type="Explore", cost_certain=False),
        _line(session="b", billed_model="haiku", cost=1),
        by="session, agent-type,model",
    )
    assert found.groups == {
        ("a", "Explore", "opus"): Sum(2, 3 * 10**9, 1_500_000_000, 20, 4),
        ("b", "", "haiku"): Sum(1, 1, 0, 10, 2),
    }
    assert _read(_line(), by="day").groups.keys() == {("2026-10-15",)}


def test_what_is_no_request_of_the_period_is_passed_over() -> None:
    found = _read(
        b"listening\n",
        b'{"event":"request_failed","time":"2026-10-15"}\n',
        _line(NOW),
        _line(NOW - timedelta(days=7)),
        _line(NOW - timedelta(days=7, seconds=1)),
        _line(billed_model=""),
        b"[pod/cg-proxy-1/gateway] " + _line(),
    )
    assert (found.total.requests, found.unreadable) == (2, 0)


@pytest.mark.parametrize(
    "line",
    [
        b'"request"\n',
        b'{"event":"request"\n',
        b"[" * 60_000 + b'{"request":' + b"[" * 5000 + b"\n",
        _line().replace(b'"1.5"', b'"-1.5"'),
        _line().replace(b'"1.5"', b'"1e99999999"'),
        _line().replace(b'"1.5"', b'"NaN"'),
        _line().replace(b'"input_tokens": 10', b'"input_tokens": -10'),
        _line().replace(b'"input_tokens": 10', b'"input_tokens": true'),
        _line().replace(b'"time"', b'"when"'),
        _line().replace(b"2026-10", b"2026-99"),
        _line().replace(b"+00:00", b""),
    ],
    ids=range(11),
)
def test_a_broken_line_is_counted_as_such(line: bytes) -> None:
    found = _read(line, _line())
    assert (found.total.requests, found.unreadable) == (1, 1)


def test_a_line_without_an_end_costs_no_memory() -> None:
    found = _read(b"x" * 500_000 + b'"request"' + _line(), _line())
    assert found.total.requests == 1


def test_the_number_of_groups_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "MOST", 3)
    found = _read(*[_line(session=str(number)) for number in range(10)], by="session,client")
    assert len(found.groups) == 4
    assert found.groups[totals.OTHER, totals.OTHER].requests == 7


_REQUESTS = st.tuples(st.sampled_from("abc"), st.integers(0, 10**14), st.integers(0, 10**9), st.booleans())


@given(st.lists(_REQUESTS, max_size=20))
def test_sums_match(requests: list[tuple[str, int, int, bool]]) -> None:
    data = [
        _line(user=user, cost=cost, cache_read_tokens=read, cost_certain=certain)
        for user, cost, read, certain in requests
    ]
    found = _read(*data, by="user,day")
    assert found.total.cost == sum(cost for _, cost, _, _ in requests)
    assert found.total.cache_read_tokens == sum(read for _, _, read, _ in requests)
    assert found.total.estimated == sum(cost for _, cost, _, certain in requests if not certain)
    shown = json.loads(table.document(found, WEEK, source="x"))
    assert sum(Decimal(each["cost_usd"]) for each in shown["groups"]) == Decimal(shown["total"]["cost_usd"])
    assert all(Decimal(each["cost_usd"]) >= 0 for each in shown["groups"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", NOW - timedelta(days=7)),
        ("90m", NOW - timedelta(minutes=90)),
        ("24h", NOW - timedelta(days=1)),
        ("2w", NOW - timedelta(days=14)),
        ("2026-10-01", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01T12:00:00+02:00", datetime(2026, 10, 1, 10, tzinfo=UTC)),
    ],
)
def test_times_are_read(text: str, expected: datetime) -> None:
    assert moment(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["", "d", "7", "-7d", "7y", "99999d", "yesterday", "\u0667d"])
def test_what_is_no_time_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; write `7d`"):
        moment(text, now=NOW)


def test_an_unknown_property_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="`clients` is unknown; choose from client, user"):
        properties("clients")
    assert properties("model,client,model") == ("model", "client")


def test_a_table_for_people() -> None:
    found = _read(_line(), _line(cost_certain=False, client="ns/\x1b[31m"), b'{"event":"request"\n')
    assert list(table.lines(found, WEEK, source="f")) == [
        "2026-10-08 12:30:00 to 2026-10-15 12:30:00 UTC, from f",
        "CLIENT       MODEL    COST  REQUESTS  INPUT  OUTPUT  CACHE READ  CACHE WRITTEN",
        r"ns/\x1b[31m  opus   $1.50*         1     10       2           0              0",
        "ns/dev       opus    $1.50         1     10       2           0              0",
        "total               $3.00*         2     20       4           0              0",
        "* $1.50 of it are estimates: unknown prices, or answers that broke off.",
        "1 line could not be read, and is missing here.",
    ]


def test_a_long_table_ends_with_the_rest() -> None:
    found = _read(*[_line(session=f"s{number}", cost=number * 10**9) for number in range(60)], by="session,model")
    shown = list(table.lines(found, WEEK, source="f"))
    assert len(shown) == 1 + 1 + 50 + 2
    assert shown[2].startswith("s59")
    assert shown[-2].startswith("… and 10 more")
    assert "$45.00" in shown[-2]
    assert len(json.loads(table.document(found, WEEK, source="f"))["groups"]) == 60


def test_nothing_is_said_as_such() -> None:
    assert list(table.lines(Totals(("client",)), WEEK, source="f"))[1:] == ["No request cost anything."]
    assert list(table.lines(_read(_line(billed_model="")), WEEK, source="f"))[1:] == ["No request cost anything."]


def test_a_file_that_is_no_log_is_named_as_such() -> None:
    for data, said in (
        (b"\x7fELF\n\x00", "None of 2 lines is a request: LOG is the gateway's log, one JSON object a line."),
        (b'{"event":"request"\n', "1 line could not be read, and is missing here."),
    ):
        assert list(table.lines(_read(data), WEEK, source="f"))[1:] == ["No request cost anything.", said]


def test_a_day_has_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "usage"
    files = DayFiles(folder)
    line = _line().decode().replace('": "', '":"')
    for each in (line, line.replace('"opus"', '""'), "listening\n"):
        files.note(each)
    files.close()
    (path,) = folder.iterdir()
    today = datetime.now(UTC).date()
    assert path.name == f"{today.isoformat()}.jsonl"
    assert path.read_text() == line
    assert [found.stat().st_mode & 0o777 for found in (folder.parent, folder, path)] == [0o700, 0o700, 0o600]
    more = DayFiles(folder)
    more.note(line)
    more.close()
    assert path.read_text() == line * 2


def test_old_files_are_removed_and_those_of_a_period_found(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=age) for age in (200, 93, 92, 10, 1)]
    for day in days:
        (tmp_path / f"{day.isoformat()}.jsonl").touch()
    (tmp_path / "notes.jsonl").touch()
    files = DayFiles(tmp_path)
    files.note('{"event":"request","billed_model":"m"}')
    files.close()
    assert _days(sorted(tmp_path.iterdir())) == [*days[2:], today, None]
    now = datetime.now(UTC)
    assert _days(dayfiles.within(tmp_path, Period(now - timedelta(days=10), now))) == [*days[3:], today]


def _days(paths: list[Path]) -> list[date | None]:
    return [None if path.stem == "notes" else date.fromisoformat(path.stem) for path in paths]


def test_prometheus_is_asked_for_labels_that_it_has() -> None:
    assert "claude_gateway_cost_dollars_total{}" in prometheus.expression(("client", "model"), seconds=60)
    assert 'agent_cost_dollars_total{namespace="ai"}' in prometheus.expression(
        ("agent_type",), seconds=60, matchers='namespace="ai"'
    )
    with_copies = prometheus.expression(("model",), seconds=60, matchers='namespace="ai"')
    assert 'claude_gateway_mirror_cost_dollars_total{namespace="ai",side="copy"}[60s]' in with_copies
    assert 'claude_gateway_mirror_cost_dollars_total{side="copy"}' in prometheus.expression(("model",), seconds=60)
    with pytest.raises(Trouble, match="Prometheus has no cost by session"):
        prometheus.expression(("session",), seconds=60)


def test_amounts_are_those_of_money() -> None:
    found = Totals(("client",), cost_only=True)
    found.add(("a",), Sum(cost=1_234_567_890_123))
    assert f"{money.dollars(1_234_567_890_123)}" in "\n".join(table.lines(found, WEEK, source="p"))
    assert json.loads(table.document(found, WEEK, source="p"))["total"] == {"cost_usd": "1234.567890123"}
