"""The context window that Claude Code is to assume for a model that it does not know."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from claude_gateway.cli.remote import probes, web
from claude_gateway.cli.tools import Setting
from claude_gateway.contract import models
from claude_gateway.contract.model_ids import without_context

VARIABLE: Final = "CLAUDE_CODE_MAX_CONTEXT_TOKENS"
_MODEL: Final = "ANTHROPIC_MODEL"
_PATIENCE: Final = 3.0
"""Seconds that a gateway has to answer; without an answer Claude Code assumes what it always does."""


def setting(url: str, key: str, *, ambient: Mapping[str, str], command: Sequence[str] = ()) -> tuple[Setting, ...]:
    """Return the setting, as the gateway at ``url`` lists its models; none where it does not answer or need one.

    It is the window of the model that ``command`` (``--model``) or the environment names, else the smallest one of the
    models that Claude Code does not know, as it has one setting for them all. One that is already set is kept.
    """
    chosen = _chosen(command) or ambient.get(_MODEL, "")
    if ambient.get(VARIABLE) or (chosen and _is_known(chosen)):
        return ()
    try:
        windows = [_window(model) for model in _listed(url, key, chosen)]
    except (web.UnreachableError, ValueError):
        return ()
    known = [window for window in windows if window is not None]
    why = "the context window of models that Claude Code does not know, which it compacts for"
    return (Setting(VARIABLE, str(min(known)), why),) if known else ()


def _chosen(command: Sequence[str]) -> str:
    """Return the model that a command line names."""
    for at, argument in enumerate(command):
        if argument == "--model" and at + 1 < len(command):
            return command[at + 1]
        if argument.startswith("--model="):
            return argument.partition("=")[2]
    return ""


def _is_known(model: str) -> bool:
    """Whether Claude Code knows a model; it ignores the setting for those that it knows."""
    return models.find("anthropic", model) is not None


def _listed(url: str, key: str, chosen: str) -> Iterator[Mapping[str, Any]]:
    path = f"/{quote(without_context(chosen), safe='')}" if chosen else "?limit=1000"
    answer = web.fetch(f"{url}/v1/models{path}", headers=probes.headers(key), timeout=_PATIENCE)
    found = json.loads(answer.body) if answer.status == 200 else {}
    listed = [found] if chosen else found.get("data", ())
    return (model for model in listed if not _is_known(str(model.get("id"))))


def _window(model: Mapping[str, Any]) -> int | None:
    window = model.get("max_input_tokens")
    return window if isinstance(window, int) and window > 0 else None
