"""What an error must look like in Anthropic's shape."""

from typing import Any

from claude_gateway.conformance.client import Reply
from claude_gateway.conformance.requirement import expect


def error_of(reply: Reply) -> dict[str, Any]:
    """The error in Anthropic's envelope. Raises Failed for any other shape."""
    expect(reply.header("content-type").startswith("application/json"), f"{reply}: not application/json")
    document = reply.json
    shaped = isinstance(document, dict) and document.get("type") == "error" and isinstance(document.get("error"), dict)
    expect(shaped, f"{reply}: not Anthropic's error envelope")
    error = dict(document["error"])
    expect(isinstance(error.get("type"), str) and error.get("message"), f"{reply}: no type or no message")
    return error


def expect_error(reply: Reply, status: int, kind: str) -> str:
    """Expect an error of this status and type; returns the evidence. Raises Failed."""
    error = error_of(reply.expect(status))
    expect(error["type"] == kind, f"{reply}: error type {error['type']}, {kind} was expected")
    return str(reply)
