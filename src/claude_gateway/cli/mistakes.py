"""Recognizes common mistakes in YAML files: what a parser's own words do not say."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

_ENVIRON: Final = "os.environ/"
_KEY: Final = re.compile(r"(sk-|cgw_|AIza|gsk_|xai-)[\x21-\x7e]{8,400}")
_CLIENT_KEY: Final = re.compile(r"cgw_[A-Za-z0-9_-]{20}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAB: Final = re.compile(r"^[ \t]*\t")


def of_line(text: str, number: int) -> tuple[str, str] | None:
    """Return what is wrong with a line (from 0) that is not valid YAML, and how to fix it; None if unknown."""
    lines = text.splitlines()
    line = lines[number] if number < len(lines) else ""
    if _TAB.match(line):
        return "not valid YAML: the line is indented with a tab", "Indent with spaces."
    if "{{" in line:
        return "not valid YAML: `{{` is a template, and this file was not rendered", "Render it first: `helm template`."
    if re.search(r"(^|[\[,:\s-])\s*\*(?=[\s,\]]|$)", line):
        return "not valid YAML: `*` without quotes refers to an anchor", 'Put the pattern in quotes: "*".'
    return None


def of_document(manifest: Mapping[Any, Any]) -> tuple[str, str] | None:
    """Return what a document is if it is a configuration of LiteLLM's proxy and not one of our manifests, else None."""
    if "kind" in manifest or not {"model_list", "litellm_settings", "general_settings"} & set(manifest):
        return None
    fix = "Run `claude-gateway import litellm FILE > gateway/imported.yaml`: it writes ModelRoutes and the rest."
    return "this is a config.yaml of LiteLLM's proxy, not a manifest", fix


def of_secret_value(value: str, *, encoded: bool) -> tuple[str, str] | None:
    """Return why a Secret's value is probably no key, and the fix; never the value. ``encoded``: it is under `data`."""
    if encoded:
        value = _decoded(value) or ""
    fix = "Write $NAME in `stringData`; serve, lint and doctor fill in the variable NAME."
    if value.startswith(_ENVIRON):
        return "the value is a reference to LiteLLM's, which would be sent as the key", fix
    if value.startswith("$") and not _VARIABLE.fullmatch(value.strip("${}")):
        return "the value begins with `$` but names no variable, so it would be sent as the key", fix
    inner = _decoded(value)
    if inner is not None and _KEY.fullmatch(inner.strip()):
        where = "encode it once" if encoded else "use `stringData` for plain text, and `data` for base64"
        return "the value is base64 of a key, and the base64 would be sent", f"Write the key itself: {where}."
    return None


def holds_key(text: str) -> bool:
    """Return whether a text holds a client key of a gateway."""
    return _CLIENT_KEY.search(text) is not None


def _decoded(value: str) -> str | None:
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
