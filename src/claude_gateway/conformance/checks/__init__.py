"""All checks, in the order in which they are run and reported."""

from typing import Final

from claude_gateway.conformance.check import Check
from claude_gateway.conformance.checks import (
    bedrock,
    clouds,
    dialect,
    discovery,
    errors,
    fidelity,
    foundry,
    functions,
    identity,
    messages,
    openai,
    refusals,
    relayed,
    safeguards,
    startup,
    streaming,
    translated,
    vertex,
)

AREAS: Final = {
    "startup": "Before the first prompt",
    "messages": "Messages",
    "body": "Bodies to a Claude model",
    "headers": "Headers",
    "stream": "Streams",
    "errors": "The gateway's own errors",
    "relayed": "Errors of a Claude model's upstream",
    "identity": "Credentials",
    "discovery": "Model discovery",
    "bedrock": "Bedrock mode",
    "vertex": "Vertex mode",
    "foundry": "Foundry, Claude on AWS, Mantle",
    "clouds": "Claude models on Bedrock and Vertex",
    "safeguards": "Auto mode (`safeguards`)",
    "dialect": "Claude Code with a model that is not Claude",
    "translated": "Errors of a model that is not Claude",
    "gemini": "Claude Code with a Gemini model",
    "responses-only": "Models that only speak Responses",
    "openai": "OpenAI's formats",
}
"""First part of an id → what it is about."""

CHECKS: Final[tuple[Check, ...]] = (
    *startup.CHECKS,
    *messages.CHECKS,
    *fidelity.CHECKS,
    *streaming.CHECKS,
    *errors.CHECKS,
    *relayed.CHECKS,
    *identity.CHECKS,
    *discovery.CHECKS,
    *bedrock.CHECKS,
    *refusals.CHECKS,
    *vertex.CHECKS,
    *foundry.CHECKS,
    *clouds.CHECKS,
    *safeguards.CHECKS,
    *dialect.CHECKS,
    *functions.CHECKS,
    *translated.CHECKS,
    *openai.CHECKS,
)
