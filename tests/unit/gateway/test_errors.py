"""What the gateway says itself, in both envelopes."""

import inspect
import json

import pytest

from claude_gateway.contract.policy import Wire
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.errors import Failure, envelope, render

_ARGUMENTS = {
    "model": "m",
    "nearest": ["a", "b"],
    "message": "text",
    "detail": "at 3",
    "path": "/x",
    "method": "PUT",
    "allow": "POST",
    "limit": 10,
    "encoding": "gzip",
    "route": "ns/r",
    "endpoint": "/v1/x",
    "reason": "why",
    "seconds": 3.5,
    "status": 502,
    "retry_after": None,
}
_STATUS_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
}


def _every_failure() -> list[Failure]:
    found = []
    for _, function in inspect.getmembers(errors, inspect.isfunction):
        if inspect.signature(function).return_annotation is Failure:
            found.append(function(*(_ARGUMENTS[name] for name in inspect.signature(function).parameters)))
    return found


@pytest.mark.parametrize("failure", _every_failure(), ids=lambda failure: failure.message[:40])
@pytest.mark.parametrize("shape", list(Wire))
def test_every_failure_has_the_envelope_and_the_headers_of_its_shape(failure: Failure, shape: Wire) -> None:
    status, headers, body = render(failure, shape=shape, request_id="req_1")
    assert failure.type == _STATUS_TYPES[status]
    found = dict(headers)
    assert found[b"content-length"] == str(len(body)).encode()
    assert found[b"request-id"] == found[b"x-request-id"] == b"req_1"
    answer = json.loads(body)
    if shape is Wire.ANTHROPIC:
        assert answer == {
            "type": "error",
            "error": {"type": failure.type, "message": failure.message},
            "request_id": "req_1",
        }
    else:
        assert set(answer["error"]) == {"message", "type", "param", "code"}
        assert answer["error"]["message"] == failure.message


def test_a_refused_key_must_not_be_tried_again() -> None:
    for failure in (errors.bad_key(), errors.no_keys()):
        _, headers, _ = render(failure, shape=Wire.ANTHROPIC, request_id="req_1")
        assert (b"x-should-retry", b"false") in headers


def test_retry_after_and_allow_become_headers() -> None:
    _, headers, _ = render(errors.not_ready("x"), shape=Wire.OPENAI, request_id="r")
    assert (b"retry-after", b"1") in headers
    _, headers, _ = render(errors.wrong_method("PUT", "POST"), shape=Wire.OPENAI, request_id="r")
    assert (b"allow", b"POST") in headers


def test_openai_clients_get_the_codes_that_they_know() -> None:
    codes = {
        json.loads(envelope(failure, shape=Wire.OPENAI, request_id="r"))["error"]["code"]
        for failure in (errors.bad_key(), errors.unknown_model("x", []))
    }
    assert codes == {"invalid_api_key", "model_not_found"}


def test_a_clients_text_is_repeated_only_in_part_and_never_breaks_the_answer() -> None:
    failure = errors.unknown_model("\ud800" + "x" * 100_000, ["sonnet"])
    assert len(failure.message) < 300
    assert "'sonnet'" in failure.message
    json.loads(envelope(failure, shape=Wire.ANTHROPIC, request_id="r"))
