"""The error table: what the gateway says itself, in every envelope, and how an upstream's own error is passed on."""

import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.errors import Failure, Relayed, envelope, relayed, render
from claude_gateway_proxy.masking import Mask
from claude_gateway_proxy.unreachable import Obstacle
from claude_gateway_runtime.envelope import anthropic_type

_ARGUMENTS = {
    "model": "m",
    "nearest": ["a", "b"],
    "message": "text",
    "session": "5e55",
    "detail": "at 3",
    "path": "/x",
    "method": "PUT",
    "allow": "POST",
    "limit": 10,
    "encoding": "gzip",
    "coding": "gzip, chunked",
    "abilities": ["Images", "Tools"],
    "tokens": 210_000,
    "most": 200_000,
    "field": "fallbacks",
    "route": "ns/r",
    "endpoint": "/v1/x",
    "reason": "why",
    "issuer": "https://login.example.com",
    "seconds": 3.5,
    "status": 529,
    "obstacle": Obstacle.REFUSED,
    "what": "the client 'ns/c' may use 3 requests per minute",
    "retry_after": 12.3,
    "groups": 300,
    "more": [(b"anthropic-ratelimit-unified-status", b"rejected")],
}
# The whole table: function → status, Anthropic's error.type, x-should-retry.
_TABLE: dict[str, tuple[int, str, bool | None]] = {
    "bad_certificate": (401, "authentication_error", False),
    "bad_key": (401, "authentication_error", False),
    "no_keys": (401, "authentication_error", False),
    "bad_signature": (401, "authentication_error", False),
    "bad_token": (401, "authentication_error", False),
    "client_suspended": (429, "rate_limit_error", False),
    "route_suspended": (503, "api_error", False),
    "key_expired": (401, "authentication_error", False),
    "issuer_unavailable": (503, "api_error", True),
    "login_needed": (401, "authentication_error", False),
    "model_not_allowed": (400, "invalid_request_error", False),
    "ability_missing": (400, "invalid_request_error", False),
    "prompt_too_long": (400, "invalid_request_error", None),
    "bad_request": (400, "invalid_request_error", None),
    "bad_json": (400, "invalid_request_error", None),
    "unknown_issuer": (401, "authentication_error", False),
    "unknown_model": (404, "not_found_error", False),
    "unknown_path": (404, "not_found_error", False),
    "wrong_method": (405, "invalid_request_error", False),
    "body_too_large": (413, "request_too_large", False),
    "body_too_slow": (408, "timeout_error", None),
    "encoded_body": (415, "invalid_request_error", False),
    "no_websocket": (426, "invalid_request_error", False),
    "coded_body": (501, "not_supported_error", False),
    "further_model_not_allowed": (400, "invalid_request_error", False),
    "rate_limited": (429, "rate_limit_error", True),
    "budget_spent": (429, "billing_error", False),
    "counters_unavailable": (503, "api_error", True),
    "overloaded": (529, "overloaded_error", True),
    "format_not_served": (400, "invalid_request_error", False),
    "session_stopped": (429, "billing_error", False),
    "batches_not_served": (404, "not_found_error", False),
    "batches_ambiguous": (404, "not_found_error", False),
    "batches_not_listed": (404, "not_found_error", False),
    "unknown_batch": (404, "not_found_error", False),
    "too_many_budgets": (400, "invalid_request_error", False),
    "batch_too_expensive": (429, "billing_error", False),
    "not_a_batch": (502, "api_error", False),
    "unknown_session": (404, "not_found_error", False),
    "not_ready": (503, "api_error", None),
    "no_targets": (503, "api_error", False),
    "upstream_down": (502, "api_error", None),
    "upstream_refused_key": (502, "api_error", False),
    "identity_missing": (502, "api_error", False),
    "identity_unanswered": (503, "api_error", None),
    "upstream_page": (502, "api_error", False),
    "upstream_redirected": (502, "api_error", False),
    "address_refused": (502, "api_error", False),
    "first_token_timeout": (504, "timeout_error", None),
    "stream_stalled": (504, "timeout_error", None),
    "stream_broken": (502, "api_error", None),
    "upstream_error": (529, "overloaded_error", None),
    "litellm_down": (503, "api_error", None),
    "internal": (500, "api_error", None),
}


def _failure(function: Callable[..., Failure]) -> Failure:
    """Make a failure of the values for its parameters."""
    parameters = inspect.signature(function).parameters.values()
    by_name = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    by_place = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    return function(*(_ARGUMENTS[name] for name in by_place), **{name: _ARGUMENTS[name] for name in by_name})


def _every_failure() -> dict[str, Failure]:
    found = {}
    for name in errors.__all__:
        function = getattr(errors, name)
        if inspect.isfunction(function) and inspect.get_annotations(function)["return"] is Failure:
            found[name] = _failure(function)
    return found


_EVERY = _every_failure()


def test_the_table_has_every_failure() -> None:
    table = {name: (failure.status, failure.type, failure.retry) for name, failure in _EVERY.items()}
    assert table == _TABLE


def _message(body: Any, shape: Wire) -> Any:
    """The message in an envelope, which must have exactly the shape of its wire."""
    if shape is Wire.BEDROCK:
        assert set(body) == {"message"}
        return body["message"]
    if shape is Wire.OPENAI:
        assert set(body) == {"error"}
        assert set(body["error"]) == {"message", "type", "param", "code"}
        return body["error"]["message"]
    assert (set(body), body["type"]) == ({"type", "error", "request_id"}, "error")
    assert set(body["error"]) == {"type", "message"}
    return body["error"]["message"]


@pytest.mark.parametrize("failure", _EVERY.values(), ids=list(_EVERY))
@pytest.mark.parametrize("shape", list(Wire))
def test_every_failure_has_the_envelope_and_the_headers_of_its_shape(failure: Failure, shape: Wire) -> None:
    status, headers, body = render(failure, shape=shape, request_id="req_1")
    found = dict(headers)
    assert len(found) == len(headers)
    assert status == failure.status
    assert found[b"content-type"] == b"application/json"
    assert found[b"content-length"] == str(len(body)).encode()
    assert found[b"request-id"] == found[b"x-request-id"] == b"req_1"
    assert found.get(b"x-should-retry") == {None: None, True: b"true", False: b"false"}[failure.retry]
    assert (b"x-amzn-errortype" in found) == (shape is Wire.BEDROCK)
    answer = json.loads(body)
    assert _message(answer, shape) == failure.message
    if shape in (Wire.ANTHROPIC, Wire.VERTEX):
        assert (answer["error"]["type"], answer["request_id"]) == (failure.type, "req_1")


@pytest.mark.parametrize("failure", _EVERY.values(), ids=list(_EVERY))
def test_only_a_missing_credential_of_the_client_is_a_401_and_nothing_is_a_403(failure: Failure) -> None:
    assert failure.status != 403
    assert (failure.status == 401) == (failure.type == "authentication_error")


@pytest.mark.parametrize("failure", [each for each in _EVERY.values() if each.status == 401], ids=str)
def test_no_401_has_the_words_that_claude_code_takes_for_its_own_login(failure: Failure) -> None:
    assert "x-api-key" not in failure.message.lower()


def test_retry_after_allow_and_close_become_headers() -> None:
    _, headers, _ = render(errors.not_ready("x"), shape=Wire.OPENAI, request_id="r")
    assert (b"retry-after", b"1") in headers
    _, headers, _ = render(errors.wrong_method("PUT", "POST"), shape=Wire.OPENAI, request_id="r")
    assert (b"allow", b"POST") in headers
    _, headers, _ = render(errors.body_too_slow(3), shape=Wire.OPENAI, request_id="r")
    assert (b"connection", b"close") in headers


def test_openai_clients_get_the_codes_that_they_know() -> None:
    codes = {
        json.loads(envelope(failure, shape=Wire.OPENAI, request_id="r"))["error"]["code"]
        for failure in (errors.bad_key(), errors.unknown_model("x", []))
    }
    assert codes == {"invalid_api_key", "model_not_found"}


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (errors.bad_key(), b"UnrecognizedClientException"),
        (errors.unknown_model("m", []), b"ResourceNotFoundException"),
        (errors.bad_request("x"), b"ValidationException"),
        (errors.upstream_error("r", 429), b"ThrottlingException"),
        (errors.upstream_error("r", 529), b"ServiceUnavailableException"),
        (errors.internal(), b"InternalServerException"),
    ],
)
def test_aws_clients_get_the_types_that_they_know(failure: Failure, kind: bytes) -> None:
    _, headers, _ = render(failure, shape=Wire.BEDROCK, request_id="r")
    assert dict(headers)[b"x-amzn-errortype"] == kind


def test_a_clients_text_is_repeated_only_in_part_and_never_breaks_the_answer() -> None:
    failure = errors.unknown_model("\ud800" + "x" * 100_000, ["sonnet"])
    assert len(failure.message) < 300
    assert "'sonnet'" in failure.message
    json.loads(envelope(failure, shape=Wire.ANTHROPIC, request_id="r"))


# An upstream's own error.

_HEADERS = (
    (b"Content-Type", b"text/html"),
    (b"Content-Encoding", b"gzip"),
    (b"Retry-After", b"Wed, 21 Oct 2026 07:28:00 GMT"),
    (b"retry-after-ms", b"1500"),
    (b"anthropic-ratelimit-unified-reset", b"1791000000"),
    (b"x-should-retry", b"false"),
)
_OWN: dict[Wire, tuple[bytes, tuple[tuple[bytes, bytes], ...]]] = {
    Wire.ANTHROPIC: (b'{ "type":"error","error":{"type":"new_error","message":"x"},"odd":1.0}', ()),
    Wire.VERTEX: (b'{"type":"error","error":{"message":"no type"}} ', ()),
    Wire.OPENAI: (b'{"error":{"message":"x","type":"BadRequestError","param":null,"code":400},"more":[]}', ()),
    Wire.BEDROCK: (b'{"message":"x","odd":1.0}', ((b"X-Amzn-ErrorType", b"ThrottlingException:http://x/"),)),
}


@pytest.mark.parametrize("shape", list(Wire))
@pytest.mark.parametrize("status", [400, 413, 422, 429, 500, 529])
def test_an_error_in_the_callers_own_envelope_is_not_touched(shape: Wire, status: int) -> None:
    body, more = _OWN[shape]
    upstream = Relayed(status, headers=(*_HEADERS, *more), body=body)
    assert relayed(upstream, shape=shape, route="ns/r", request_id="req_1") is upstream


@pytest.mark.parametrize("shape", list(Wire))
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", None),
        (b"<html><body>nginx</body></html>", None),
        (b"\x1f\x8b\x08\x00", None),
        (b"[]", None),
        (b'"prompt is too long"', "prompt is too long"),
        (b"the reason", "the reason"),
        (b'{"error":{"message":"\\"m\\" does not think"}}', '"m" does not think'),
        (b'{"detail":[{"loc":["body","messages",0],"msg":"the reason"}]}', "messages.0: the reason"),
        (b'{"errors":[{"message":"one"},{"message":"two"}],"success":false}', "one; two"),
        (b'{"error":{"message":"Provider returned error","metadata":{"raw":"{\\"message\\":\\"why\\"}"}}}', "why"),
        (b"{\"message\":\"Error code: 400 - {'error': {'message': 'why'}}\"}", "why"),
        (b'{"message":"<html>no</html>"}', None),
        (b"{}", None),
        (b"[" * 5000, None),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]', "Quota"),
        (b'{"message":"Input is too long"}', "Input is too long"),
        (b'{"Message":"signature"}', "signature"),
        (b'{"error":7,"message":"seven"}', "seven"),
    ],
)
def test_any_other_error_gets_the_envelope_and_keeps_status_wording_and_headers(
    shape: Wire, body: bytes, message: str | None
) -> None:
    if shape is Wire.OPENAI and body.startswith(b'{"error"'):
        return  # that is one of its own
    answer = relayed(Relayed(429, headers=_HEADERS, body=body), shape=shape, route="ns/r", request_id="req_1")
    assert answer.status == 429
    said = _message(json.loads(answer.body), shape)
    assert said == message or (message is None and "status 429" in said)
    headers = dict(answer.headers)
    assert headers[b"content-type"] == b"application/json"
    assert {name.lower() for name in headers} >= {b"retry-after", b"retry-after-ms", b"x-should-retry"}
    assert headers[b"anthropic-ratelimit-unified-reset"] == b"1791000000"
    assert b"Content-Encoding" not in headers
    assert headers.get(b"x-amzn-errortype") == (b"ThrottlingException" if shape is Wire.BEDROCK else None)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 429, 500, 503, 504, 529])
def test_an_openai_like_error_behind_the_anthropic_wire_gets_anthropics_type_and_keeps_the_wording(status: int) -> None:
    wording = "This model's maximum context length is 8192 tokens"
    body = json.dumps({"error": {"message": wording, "type": "BadRequestError", "code": status}}).encode()
    answer = relayed(Relayed(status, headers=(), body=body), shape=Wire.ANTHROPIC, route="r", request_id="req_1")
    error = json.loads(answer.body)["error"]
    assert error["message"] == wording
    assert error["type"] == anthropic_type(status)


def test_a_type_that_anthropic_has_is_kept_whatever_the_status() -> None:
    body = b'{"error":{"type":"overloaded_error","message":"busy"}}'
    answer = relayed(Relayed(500, headers=(), body=body), shape=Wire.ANTHROPIC, route="r", request_id="req_1")
    assert json.loads(answer.body)["error"] == {"type": "overloaded_error", "message": "busy"}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "detail", "type", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(_JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60), st.sampled_from(list(Wire)))
def test_whatever_an_upstream_says_the_caller_can_read_it(body: bytes, shape: Wire) -> None:
    upstream = Relayed(500, headers=((b"a", b"b"),), body=body)
    answer = relayed(upstream, shape=shape, route="ns/r", request_id="req_1")
    assert (answer.status, answer.headers[0]) == (500, (b"a", b"b"))
    if answer is not upstream:
        assert isinstance(_message(json.loads(answer.body), shape), str)
    else:
        assert isinstance(json.loads(body), dict)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "no user has sk-ant-oat01-A1b2C3d4E5f6"}}', "no user has [key]"),
        (b"no user\n has sk-ant-oat...E5f6", "no user has [key]"),
        (b"x" * 296 + b" sk-ant-oat01-A1b2C3d4E5f6", "x" * 296 + " [ke"),
        (b"", ""),
    ],
)
def test_the_words_for_the_log_lack_the_callers_own_login(body: bytes, words: str) -> None:
    assert errors.words(body, mask=Mask(["sk-ant-oat01-A1b2C3d4E5f6"])) == words
