"""What ``explain`` says is what the gateway's log says afterwards; and the overview of what it does meanwhile."""

import http.client
import json
import subprocess
import sys
import threading
from random import Random

import msgspec
from tests.support.builders import questions
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.waiting import until

from claude_gateway.contract.report import Overview
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.explain import Question, explain
from claude_gateway_scripted.local import Scripted

KEYS = {f"cgw_key-of-{client.name.replace('/', '-')}-0123456789": client.name for client in questions.CLIENTS}
SESSION = "x-claude-code-session-id"
BY_CLIENT = {name: key for key, name in KEYS.items()}


def test_the_log_of_the_gateway_says_the_same() -> None:
    random = Random(7)
    with Scripted() as upstream:
        whole = bundle(
            (*questions.routes(random, url=upstream.url, wires=(Wire.ANTHROPIC,)), _spare(upstream.url)),
            clients=questions.CLIENTS,
            keys=KEYS,
        )
        asked = [questions.request(random, formats=(Format.MESSAGES, Format.COUNT_TOKENS)) for _ in range(120)]
        with LoneGateway(whole) as gateway:
            for number, each in enumerate(asked):
                headers = {
                    **dict(each.headers),
                    "x-api-key": BY_CLIENT[each.client],
                    "anthropic-version": "2023-06-01",
                    SESSION: str(number),
                }
                gateway.call("POST", each.path, body=each.body, headers=headers)
            lines = {line["session"]: line for line in gateway.requests(count=len(asked))}
    served = 0
    for number, each in enumerate(asked):
        line = lines[str(number)]
        explanation = explain(
            Question(
                policy=whole.gateway.decode(),
                client=each.client,
                path=each.path,
                headers=(*each.headers, (SESSION, str(number))),
                body=each.body,
            )
        )
        if explanation.refused is not None:
            assert (line["status"], line["target"]) == (explanation.refused.status, "")
            continue
        served += 1
        assert (line["route"], line["rule"], line["client"]) == (
            explanation.route,
            explanation.rule or "",
            explanation.client,
        )
        tried = {one.target: one for one in explanation.targets if one.place}
        assert line["target"] in tried
        if line["attempts"] == 1 and line["why"] == explanation.why:
            assert tried[line["target"]].share > 0
    assert served > 20


def test_the_overview_shows_what_runs_and_what_failed_and_nothing_of_the_content() -> None:
    with Scripted() as upstream:
        running = target(base_url=upstream.url, model="slow")
        gone = target(base_url="http://127.0.0.1:9", model="gone")
        whole = bundle((route("slow", targets=(running,)), route("gone", targets=(gone,))), keys={"k" * 16: "ns/dev"})
        with LoneGateway(whole) as gateway:
            for _ in range(3):
                gateway.call("POST", "/v1/messages", body=_body("gone"), headers={"x-api-key": "k" * 16})
            body = {**_body("[[pace 60]] a secret prompt"), "model": "slow", "stream": True}
            call = threading.Thread(
                target=lambda: _quietly(gateway, body),
                daemon=True,
            )
            call.start()
            until(lambda: _overview(gateway).requests and _overview(gateway).requests[0].first_byte, what="an answer")
            found = _overview(gateway)
            printed = subprocess.run(
                [sys.executable, "-m", "claude_gateway_proxy.gateway.overview"],
                env={"CLAUDE_GATEWAY_RUN_DIR": str(gateway.folder)},
                capture_output=True,
                check=True,
            ).stdout
        call.join(timeout=30)
    request = found.requests[0]
    assert (request.client, request.route, request.model, request.target) == ("ns/dev", "ns/slow", "slow", running.id)
    assert request.stream
    states = {each.target: each for each in found.targets}
    assert states[running.id].in_flight == 1
    assert states[gone.id].ejected_seconds > 0
    assert states[gone.id].last
    assert msgspec.json.decode(printed)["inFlight"] == 1
    assert b"secret prompt" not in printed
    assert b"k" * 16 not in printed


def _spare(url: str) -> Route:
    return route("spare", targets=(target(base_url=url),))


def _body(prompt: str) -> dict[str, object]:
    return {"model": prompt, "max_tokens": 9, "messages": [{"role": "user", "content": prompt}]}


def _overview(gateway: LoneGateway) -> Overview:
    return Overview.model_validate_json(gateway.internal("/overview"))


def _quietly(gateway: LoneGateway, body: dict[str, object]) -> None:
    try:
        gateway.call("POST", "/v1/messages", body=json.dumps(body).encode(), headers={"x-api-key": "k" * 16})
    except (OSError, http.client.HTTPException):
        return  # the gateway is gone, as it should be
