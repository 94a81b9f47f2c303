"""The agent as a process of its own, between a source folder and two sockets that answer like its neighbours."""

import asyncio
import json
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.processes.agent import SECONDS, Agent, Neighbour, bundle, running

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.report import PodReport, ProcessReport
from claude_gateway.names import GATEWAY_SOCKET, LITELLM_SOCKET

KEY = b"sk-very-secret-value"


def _bundle(route: str) -> Bundle:
    return bundle(route, key=KEY)


def _agent(home: Path) -> AbstractAsyncContextManager[Agent]:
    return running({"CLAUDE_GATEWAY_RUN_DIR": str(home / "run"), "CLAUDE_GATEWAY_SOURCE_DIR": str(home / "source")})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("run", "source"):
        (tmp_path / name).mkdir()
    return tmp_path


async def test_a_bundle_travels_to_the_run_directory_and_its_revision_back(home: Path) -> None:
    gateway, litellm = Neighbour(home / "run" / GATEWAY_SOCKET), Neighbour(home / "run" / LITELLM_SOCKET)
    revision = folder.write(home / "source", _bundle("a"))
    async with gateway.up(), litellm.up(), _agent(home) as agent:
        waiting = asyncio.create_task(agent.until_live(revision))
        gateway.report = ProcessReport(revision=revision, in_flight=2)
        litellm.report = ProcessReport(revision=revision)

        report = await waiting
        assert report == PodReport(wanted=revision, live=revision, gateway=gateway.report, litellm=litellm.report)
        assert folder.current(home / "run" / "bundle") == revision


def _unreadable(report: PodReport) -> bool:
    return "gateway.json cannot be read: routes" in (report.error or "")


async def test_a_bad_bundle_is_reported_and_the_good_one_stays_also_over_a_restart(home: Path) -> None:
    good = folder.write(home / "source", _bundle("a"))
    async with _agent(home) as agent:
        await agent.until(lambda report: report.wanted == good)
        bad = folder.write(home / "source", Bundle(gateway=b'{"routes": 1}', litellm=b""))
        report = await agent.until(_unreadable)
        assert report.wanted == bad
        assert folder.current(home / "run" / "bundle") == good

    async with _agent(home) as agent:
        await agent.until(_unreadable)
        assert folder.current(home / "run" / "bundle") == good
        better = folder.write(home / "source", _bundle("b"))
        await agent.until(lambda report: report.error is None)
        assert folder.current(home / "run" / "bundle") == better
    refused = [line for line in agent.log if line["event"] == "bundle_refused"]
    assert [(line["revision"], line["kept"], line["level"]) for line in refused] == [(bad, good, "error")]
    assert KEY.decode() not in json.dumps(agent.log)


async def test_the_metrics_page_holds_the_whole_pod_and_survives_a_dead_process(home: Path) -> None:
    gateway, litellm = Neighbour(home / "run" / GATEWAY_SOCKET), Neighbour(home / "run" / LITELLM_SOCKET)
    folder.write(home / "source", _bundle("a"))
    async with gateway.up(), _agent(home) as agent:
        async with litellm.up():
            both = await _metrics(agent)
        one = await _metrics(agent)
        gateway.metrics = "<html>not what it should be</html>"
        none = await _metrics(agent)

    up = "claude_gateway_process_up"
    assert [both[up, name] for name in ("agent", "gateway", "litellm")] == [1, 1, 1]
    assert both["claude_gateway_requests_total", "gateway"] == both["claude_gateway_requests_total", "litellm"] == 3
    assert {process for name, process in both if name == "process_threads"} == {"gateway", "litellm"}
    assert both["process_resident_memory_bytes", "agent"] > 0
    assert [one[up, name] for name in ("agent", "gateway", "litellm")] == [1, 1, 0]
    assert ("claude_gateway_requests_total", "litellm") not in one
    assert [none[up, name] for name in ("agent", "gateway", "litellm")] == [1, 0, 0]


async def _metrics(agent: Agent) -> dict[tuple[str, str], float]:
    async with agent.http.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = await response.text()
    found: dict[tuple[str, str], float] = {}
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families), "a family is there twice"
    for family in families:
        for sample in family.samples:
            found[sample.name, sample.labels["process"]] = sample.value
    return found


async def test_the_long_poll_answers_when_something_goes_wrong(home: Path) -> None:
    folder.write(home / "source", _bundle("a"))
    async with _agent(home) as agent:
        await agent.until(lambda report: report.wanted is not None)
        waiting = asyncio.create_task(agent.status("?revision=&timeout=60"))
        folder.write(home / "source", Bundle(gateway=b"{", litellm=b""))
        report = await asyncio.wait_for(waiting, SECONDS)
        while report.error is None:
            report = await asyncio.wait_for(agent.status("?revision=&timeout=60"), SECONDS)
        assert "gateway.json cannot be read" in report.error


async def test_the_long_poll_answers_at_its_timeout_and_is_bounded(home: Path) -> None:
    async with _agent(home) as agent:
        assert (await agent.status("?revision=&timeout=0.01")).live is None
        for query in ("timeout=61", "timeout=-1", "timeout=nan", "timeout=x"):
            async with agent.http.get(f"/status?revision=&{query}") as response:
                assert response.status == 400
        async with asyncio.TaskGroup() as polls:
            answers = [polls.create_task(_poll_status(agent)) for _ in range(40)]
        codes = sorted(answer.result() for answer in answers)
        assert codes == [200] * 32 + [503] * 8


async def _poll_status(agent: Agent) -> int:
    async with agent.http.get("/status?revision=&timeout=2") as response:
        return response.status


async def test_sigterm_ends_it_at_once_even_with_a_long_poll_open(home: Path) -> None:
    async with _agent(home) as agent:
        poll = asyncio.create_task(_poll_long(agent))
        await agent.until(lambda report: report.error is not None)
        agent.process.terminate()
        assert await asyncio.wait_for(agent.process.wait(), 10) == 0
        await poll
    assert agent.log[-1]["event"] == "stopped"


async def _poll_long(agent: Agent) -> None:
    try:
        await agent.status("?revision=&timeout=60")
    except aiohttp.ClientError:
        return


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("CLAUDE_GATEWAY_METRICS_LISTEN", "9090", 2),
        ("CLAUDE_GATEWAY_LOG_LEVEL", "loud", 2),
        ("CLAUDE_GATEWAY_METRICS_LISTEN", "192.0.2.1:1", 1),
        ("CLAUDE_GATEWAY_SOURCE", "kubernetes", 2),
        ("KUBERNETES_SERVICE_PORT", "https", 2),
    ],
)
async def test_a_start_that_cannot_work_says_what_is_wrong(home: Path, name: str, value: str, code: int) -> None:
    env = {"CLAUDE_GATEWAY_RUN_DIR": str(home / "run"), "CLAUDE_GATEWAY_SOURCE_DIR": str(home / "source"), name: value}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "claude_gateway_proxy.agent"), env=env, stdout=-1, stderr=-2
    )
    output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == code
    said = json.loads(output.splitlines()[-1])
    assert said["level"] == "error"
    assert name == said.get("setting") or value in said["error"] or "assign" in said["error"]
    assert said["event"] in ("setting_refused", "start_failed")
