"""Settings of Claude Code that other gateways' guides name: what each does here, and what replaces it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from claude_gateway.cli.checks import Check, CheckStatus
from claude_gateway.cli.keyhelper.options import TTL_VARIABLE

BEDROCK: Final = "CLAUDE_CODE_USE_BEDROCK"
BEDROCK_URL: Final = "ANTHROPIC_BEDROCK_BASE_URL"
SKIP_BEDROCK: Final = "CLAUDE_CODE_SKIP_BEDROCK_AUTH"
_HELPER: Final = "CLAUDE_CODE_API_KEY_HELPER"
_SHORTEST_TTL_MS: Final = 1000
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_MISSPELT_TTL: Final = (
    "API_KEY_HELPER_TTL_MS",
    "ANTHROPIC_API_KEY_HELPER_TTL_MS",
    "CLAUDE_API_KEY_HELPER_TTL_MS",
    "CLAUDE_CODE_API_KEY_HELPER_TTL",
    "CLAUDE_CODE_APIKEY_HELPER_TTL_MS",
)


@dataclass(frozen=True, slots=True)
class _Ignored:
    """A variable that Claude Code does not read."""

    name: str
    instead: str


_IGNORED: Final = (
    _Ignored(_HELPER, "Put the command into settings.json as `apiKeyHelper`: claude-gateway setup --helper COMMAND."),
    *(_Ignored(name, f"The variable is {TTL_VARIABLE}, in milliseconds.") for name in _MISSPELT_TTL),
    _Ignored("ANTHROPIC_TIMEOUT", "The variable is API_TIMEOUT_MS, in milliseconds."),
    _Ignored("ANTHROPIC_TIMEOUT_MS", "The variable is API_TIMEOUT_MS, in milliseconds."),
    _Ignored("CLAUDE_CODE_TIMEOUT_MS", "The variable is API_TIMEOUT_MS, in milliseconds."),
    _Ignored("ANTHROPIC_DEBUG", "For the requests, set ANTHROPIC_LOG=debug; for everything else, run claude --debug."),
    _Ignored(
        "CLAUDE_CODE_DEBUG", "For the requests, set ANTHROPIC_LOG=debug; for everything else, run claude --debug."
    ),
)
_MODES: Final[Mapping[str, str]] = {
    "CLAUDE_CODE_USE_VERTEX": "Vertex AI",
    "CLAUDE_CODE_USE_FOUNDRY": "Foundry",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS": "Claude Platform on AWS",
    "CLAUDE_CODE_USE_MANTLE": "Mantle",
}


def checks(variables: Mapping[str, str], *, helper: bool = False) -> Iterator[Check]:
    """Explain the variables that are set; ``helper``: an ``apiKeyHelper`` is configured."""
    for ignored in _IGNORED:
        if variables.get(ignored.name):
            yield Check(CheckStatus.WARN, ignored.name, "Claude Code does not read this variable", ignored.instead)
    yield from _ttl(variables, helper=helper)
    yield from _bedrock(variables)
    for name, mode in _MODES.items():
        if variables.get(name, "").lower() in _TRUE:
            seen = f"Claude Code is in {mode} mode and ignores ANTHROPIC_BASE_URL"
            yield Check(CheckStatus.WARN, name, seen, "Point that mode's own base URL at the gateway, or unset it.")
    yield from _timeouts(variables)


def is_on(variables: Mapping[str, str], name: str) -> bool:
    """Return whether a switch of Claude Code is on."""
    return variables.get(name, "").strip().lower() in _TRUE


def _ttl(variables: Mapping[str, str], *, helper: bool) -> Iterator[Check]:
    value = variables.get(TTL_VARIABLE)
    if value is None:
        return
    example = "Write milliseconds, such as 300000 for five minutes."
    if not re.fullmatch(r"[0-9]{1,12}", value.strip()):
        # Measured: both releases read `5m` as 5 milliseconds; what does not begin with a digit counts as five minutes.
        begins = value.strip()[:1] in tuple("0123456789")
        read = "may read only the digits at its start" if begins else "uses five minutes"
        seen = f"not a whole number of milliseconds, so Claude Code {read}"
        yield Check(CheckStatus.FAIL, TTL_VARIABLE, seen, example)
    elif int(value) < _SHORTEST_TTL_MS:
        seen = f"{value.strip()} milliseconds: the helper runs for nearly every request"
        fix = f"If seconds were meant, write {int(value) * 1000}." if int(value) else example
        yield Check(CheckStatus.WARN, TTL_VARIABLE, seen, fix)
    elif not helper:
        seen = "has no effect without an apiKeyHelper"
        yield Check(CheckStatus.WARN, TTL_VARIABLE, seen, "Add one: claude-gateway setup --helper COMMAND.")
    else:
        yield Check(CheckStatus.PASS, TTL_VARIABLE, f"Claude Code keeps a key for {int(value) / 1000:g} s")


def _bedrock(variables: Mapping[str, str]) -> Iterator[Check]:
    url = variables.get(BEDROCK_URL, "")
    if not is_on(variables, BEDROCK):
        for name in (BEDROCK_URL, SKIP_BEDROCK):
            if variables.get(name):
                fix = f"Unset it; or set {BEDROCK}=1 to keep that mode, if your model ids are Bedrock's."
                yield Check(CheckStatus.WARN, name, f"has no effect without {BEDROCK}=1", fix)
        return
    if not url:
        fix = f"Set {BEDROCK_URL} to the gateway's address with /bedrock, or unset {BEDROCK}."
        seen = "Claude Code calls Amazon Bedrock itself and ignores ANTHROPIC_BASE_URL"
        yield Check(CheckStatus.FAIL, BEDROCK, seen, fix)
        return
    seen = "Bedrock mode: requests go to the Bedrock base URL, ANTHROPIC_BASE_URL is ignored"
    yield Check(CheckStatus.PASS, BEDROCK, f"{seen}; the gateway serves it")
    if "/v1" in url:
        fix = "End it with /bedrock, or with the gateway's host."
        yield Check(CheckStatus.FAIL, BEDROCK_URL, "the path /v1 is not one of Bedrock's", fix)
    has_aws = any(variables.get(name) for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"))
    if not is_on(variables, SKIP_BEDROCK) and not has_aws:
        fix = f"Set {SKIP_BEDROCK}=1; the gateway's key is then sent as a bearer token."
        yield Check(CheckStatus.FAIL, SKIP_BEDROCK, "not set, so Claude Code looks for AWS credentials", fix)


def _timeouts(variables: Mapping[str, str]) -> Iterator[Check]:
    value = variables.get("API_TIMEOUT_MS")
    if value is None:
        return
    if not re.fullmatch(r"[0-9]{1,12}", value.strip()):
        yield Check(CheckStatus.FAIL, "API_TIMEOUT_MS", "not a number", "Write milliseconds, such as 600000.")
    elif int(value) < 10 * _SHORTEST_TTL_MS:
        fix = f"If seconds were meant, write {int(value) * 1000}."
        yield Check(CheckStatus.WARN, "API_TIMEOUT_MS", f"{value} milliseconds ends most answers early", fix)
    else:
        seen = f"a request may take {int(value) / 1000:g} s; the gateway's limit is the route's timeouts.total"
        yield Check(CheckStatus.PASS, "API_TIMEOUT_MS", seen)
