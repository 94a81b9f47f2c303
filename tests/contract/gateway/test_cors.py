"""Programs in a browser: answered where their origin is allowed, and nowhere else."""

from collections.abc import Iterator, Mapping

import pytest
from tests.support.builders.bundles import bundle, route
from tests.support.processes.lone_gateway import LoneGateway

KEY = "cgw_key-of-dev"
ORIGIN = "http://localhost:8080"
ASKED = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/models", "/nothing")


@pytest.fixture(scope="module")
def allowing() -> Iterator[LoneGateway]:
    with LoneGateway(
        bundle([route("c")], keys={KEY: "ns/dev"}), cors_origins=f"https://a.example, {ORIGIN}"
    ) as gateway:
        yield gateway


def allowed(headers: Mapping[str, str]) -> str | None:
    return headers.get("access-control-allow-origin")


@pytest.mark.parametrize("path", PATHS)
def test_a_browser_may_ask_and_read_from_an_origin_that_is_allowed(allowing: LoneGateway, path: str) -> None:
    asked = allowing.call("OPTIONS", path, headers={"origin": ORIGIN, **ASKED})
    assert (asked.status, allowed(asked.headers)) == (204, ORIGIN)
    assert asked.headers["access-control-allow-headers"] == "authorization,content-type"
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in asked.headers
    # Errors must be readable too, or the program cannot show its user what is wrong.
    answer = allowing.call("POST", path, body=b"{}", headers={"origin": ORIGIN})
    assert answer.status in (401, 404, 405)
    assert (allowed(answer.headers), answer.headers["vary"]) == (ORIGIN, "Origin")


@pytest.mark.parametrize("origin", ["http://localhost:8081", "https://a.example.evil", "null", "*"])
def test_no_other_origin_learns_anything(allowing: LoneGateway, origin: str) -> None:
    asked = allowing.call("OPTIONS", "/v1/models", headers={"origin": origin, **ASKED})
    assert (asked.status, allowed(asked.headers)) == (405, None)
    answer = allowing.call("GET", "/v1/models", headers={"origin": origin, "x-api-key": KEY})
    assert (answer.status, allowed(answer.headers)) == (200, None)


def test_a_program_without_an_origin_sees_no_difference(allowing: LoneGateway) -> None:
    answer = allowing.call("GET", "/v1/models", headers={"x-api-key": KEY})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_origin_may_be_allowed() -> None:
    with LoneGateway(bundle([route("c")], keys={KEY: "ns/dev"}), cors_origins="*") as gateway:
        private = {"access-control-request-private-network": "true"}
        asked = gateway.call("OPTIONS", "/v1/models", headers={"origin": "https://b.example", **ASKED, **private})
        assert (allowed(asked.headers), asked.headers["access-control-allow-private-network"]) == ("*", "true")


def test_no_origin_is_allowed_unless_a_setting_says_so() -> None:
    with LoneGateway(bundle([route("c")], keys={KEY: "ns/dev"})) as gateway:
        asked = gateway.call("OPTIONS", "/v1/models", headers={"origin": ORIGIN, **ASKED})
        assert (asked.status, allowed(asked.headers)) == (405, None)


def test_a_websocket_is_refused_with_the_status_that_clients_fall_back_at(allowing: LoneGateway) -> None:
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    answer = allowing.call("GET", "/v1/responses", headers={**headers, "sec-websocket-key": "eA=="})
    assert answer.status == 426
    assert allowing.call("GET", "/v1/responses").status == 405
