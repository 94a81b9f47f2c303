"""New bundles come live while the gateway serves; broken ones do not."""

import http.client
import json

from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.lone_gateway import LoneGateway, reply
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.client import Client
from claude_gateway.names import CURRENT, GATEWAY_JSON
from claude_gateway_scripted.local import Scripted

KEY = "cgw_key-of-dev"
AUTH = {"authorization": f"Bearer {KEY}"}


def policy(scripted: Scripted, *models: str, key: str = KEY) -> Bundle:
    routes = [route(model, targets=[target(base_url=scripted.url)]) for model in models]
    return bundle(routes, keys={key: "ns/dev"})


def body(model: str, *, stream: bool = False) -> dict[str, object]:
    return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "x"}], "stream": stream}


def ask(gateway: LoneGateway, model: str) -> int:
    return gateway.call("POST", "/v1/messages", body=body(model), headers=AUTH).status


def test_before_its_first_bundle_it_lives_and_is_not_ready(scripted: Scripted) -> None:
    with LoneGateway() as gateway:
        assert gateway.call("GET", "/healthz").status == 200
        assert gateway.call("GET", "/readyz").status == 503
        answer = gateway.call("POST", "/v1/messages", body=body("a"), headers=AUTH)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        gateway.apply(policy(scripted, "a"))
        with gateway.worker():
            assert gateway.call("GET", "/readyz").status == 200
        assert ask(gateway, "a") == 200


def test_without_keys_nobody_is_answered_and_the_log_says_how_to_make_one(scripted: Scripted) -> None:
    with LoneGateway(bundle([route("a", targets=[target(base_url=scripted.url)])])) as gateway:
        answer = gateway.call("POST", "/v1/messages", body=body("a"), headers=AUTH)
        assert answer.status == 401
        assert "claude-gateway key new" in answer.json["error"]["message"]
        assert "claude-gateway key new" in gateway.event("no_client_keys")["hint"]


def test_a_running_stream_keeps_the_snapshot_that_it_began_with(scripted: Scripted) -> None:
    scripted.script({"text": "one two three four five six", "chunk_delay": 0.05})
    with LoneGateway(policy(scripted, "a")) as gateway:
        connection = gateway.connect()
        connection.request("POST", "/v1/messages", body=json.dumps(body("a", stream=True)), headers=AUTH)
        response = connection.getresponse()
        gateway.apply(policy(scripted, "b"))
        assert ask(gateway, "a") == 404
        assert ask(gateway, "b") == 200
        assert b"message_stop" in response.read()
        connection.close()


def test_a_key_that_is_withdrawn_is_refused_on_open_connections_too(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, "a")) as gateway:
        connection = gateway.connect()
        for expected in (200, 401):
            connection.request("POST", "/v1/messages", body=json.dumps(body("a")), headers=AUTH)
            assert reply(connection.getresponse()).status == expected
            gateway.apply(policy(scripted, "a", key="cgw_another"))
        connection.close()


def test_a_broken_bundle_leaves_the_last_good_one_and_says_so(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, "a")) as gateway:
        good = gateway.status().revision
        broken = Bundle(gateway=b'{"routes":[{"name":"x"}]}', litellm=b"")
        revision = folder.write(gateway.bundle_dir, broken)
        until(lambda: gateway.status().refused == revision, what="the refusal")
        report = gateway.status()
        assert report.revision == good
        assert "routes.0" in (report.error or "")
        assert ask(gateway, "a") == 200
        with gateway.worker():
            assert gateway.call("GET", "/readyz").status == 200
        assert "claude_gateway_config_errors_total 1.0" in gateway.internal("/metrics").decode()
        assert gateway.event("config_refused")["revision"] == revision
        gateway.apply(policy(scripted, "b"))
        assert gateway.status().refused is None
        assert ask(gateway, "b") == 200


def test_a_file_that_was_tampered_with_is_refused(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, "a")) as gateway:
        revision = folder.write(gateway.folder / "elsewhere", policy(scripted, "b"))
        home = gateway.folder / "elsewhere" / "revisions" / revision
        file = home / "config" / GATEWAY_JSON
        file.write_bytes(file.read_bytes().replace(b"ns/b", b"ns/c"))
        home.rename(gateway.bundle_dir / "revisions" / revision)
        (gateway.bundle_dir / ".link").symlink_to(f"revisions/{revision}")
        (gateway.bundle_dir / ".link").rename(gateway.bundle_dir / CURRENT)
        until(lambda: gateway.status().refused == revision, what="the refusal")
        assert "checksum" in (gateway.status().error or "")
        assert ask(gateway, "a") == 200


def test_a_bundle_that_could_not_be_read_is_tried_again(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, "a")) as gateway:
        revision = folder.write(gateway.folder / "elsewhere", policy(scripted, "b"))
        (gateway.bundle_dir / ".link").symlink_to(f"revisions/{revision}")
        (gateway.bundle_dir / ".link").rename(gateway.bundle_dir / CURRENT)
        until(lambda: gateway.status().refused == revision, what="the refusal")
        (gateway.folder / "elsewhere" / "revisions" / revision).rename(gateway.bundle_dir / "revisions" / revision)
        until(lambda: gateway.status().revision == revision, what="the second try")
        assert len(gateway.process.lines("config_refused")) == 1


def test_labels_of_what_is_no_longer_configured_are_forgotten(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, "a")) as gateway:
        assert ask(gateway, "a") == 200
        assert 'route="ns/a"' in gateway.internal("/metrics").decode()
        gateway.apply(policy(scripted, "b"))
        text = gateway.internal("/metrics").decode()
        assert "ns/a" not in text
        assert text.count("claude_gateway_config_info{") == 1


def test_swapping_back_and_forth_under_load_fails_no_request(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, "a", "b")) as gateway:
        connection = gateway.connect()
        for number in range(60):
            if number % 3 == 0:
                folder.write(gateway.bundle_dir, policy(scripted, "a", f"extra-{number}"))
            connection.request("POST", "/v1/messages", body=json.dumps(body("a")), headers=AUTH)
            assert reply(connection.getresponse()).status == 200
        connection.close()
        assert {line["status"] for line in gateway.requests(count=60)} == {200}


def test_a_client_of_a_bundle_gets_only_what_the_bundle_says(scripted: Scripted) -> None:
    routes = [route(model, targets=[target(base_url=scripted.url)]) for model in ("a", "b")]
    narrow = bundle(routes, clients=[Client(name="ns/dev", models=("a",))], keys={KEY: "ns/dev"})
    with LoneGateway(narrow) as gateway:
        assert [ask(gateway, model) for model in ("a", "b")] == [200, 400]
        gateway.apply(bundle(routes, keys={KEY: "ns/dev"}))
        assert [ask(gateway, model) for model in ("a", "b")] == [200, 200]


def test_a_connection_error_is_no_reason_to_end(scripted: Scripted) -> None:
    with LoneGateway(policy(scripted, "a")) as gateway:
        for _ in range(20):
            connection = gateway.connect()
            connection.request("POST", "/v1/messages", body=json.dumps(body("a", stream=True)), headers=AUTH)
            assert isinstance(connection.getresponse(), http.client.HTTPResponse)
            connection.close()
        until(lambda: gateway.status().in_flight == 0, what="the requests to end")
        assert ask(gateway, "a") == 200
