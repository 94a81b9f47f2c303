"""Recognizes common mistakes in YAML files: what a parser's own words do not say."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

_ENVIRON: Final = "os.environ/"
_KEY: Final = re.compile(r"(sk-|cgw_|AIza|gsk_|xai-)[\x21-\x7e]{8,400}")
_SHOWN_KEY: Final = re.compile(r"(?<![A-Za-z0-9])(?:sk-|cgw_|AIza|gsk_|xai-|hv[sbr]\.|eyJ)[A-Za-z0-9._~+/=-]{8,}")
"""A key or token in a text: those of the pattern above, Vault's tokens, and JWTs."""
_CLIENT_KEY: Final = re.compile(r"cgw_[A-Za-z0-9_-]{20}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAB: Final = re.compile(r"^[ \t-]*\t")
_STAR: Final = re.compile(r"(?:^|[\[,\s])(\*[^\s,\]#]*)")
_TEMPLATES: Final = ("{{", "{%")
_CONFLICT: Final = re.compile(r"^(<{7}|={7}|>{7})( |$)")
_PLACEHOLDER: Final = re.compile(
    r"<[^<>]*>|.*\.\.\..*|(sk-)?x{4,}|change-?me|(sk-)?(your|my|enter|paste)[-_ ].*(key|token|secret).*", re.IGNORECASE
)
_LONGEST_PLACEHOLDER: Final = 100
_PERCENT: Final = re.compile(r"%[A-Za-z_][A-Za-z0-9_]*%")
_LITELLM: Final = frozenset(
    {"model_list", "litellm_settings", "general_settings", "router_settings", "environment_variables"}
)
_URL_ALPHABET: Final = str.maketrans("-_", "+/")
_ROUTER: Final = frozenset({"Providers", "Router"})


def of_line(text: str, number: int) -> tuple[str, str] | None:
    """Return what is wrong with a line (from 0) that is not valid YAML, and how to fix it; None if unknown."""
    lines = text.splitlines()
    line = lines[number] if number < len(lines) else ""
    # A parser often stops only where the next line begins.
    near = "\n".join(lines[max(0, number - 1) : number + 1])
    if _TAB.match(line):
        return "not valid YAML: the line is indented with a tab", "Indent with spaces."
    template = next((each for each in _TEMPLATES if each in near), None)
    if template is not None:
        what = f"not valid YAML: `{template}` is a template, and this file was not rendered"
        return what, "Render it first: `helm template`."
    if any(_CONFLICT.match(each) for each in near.splitlines()):
        return "not valid YAML: these are the marks of a merge conflict", "Resolve the conflict."
    if "\u00a0" in near:
        return "not valid YAML: a no-break space, which looks like a space", "Write the line again with spaces."
    star = _STAR.search(line)
    if star is not None and f"&{star[1][1:]}" not in text.split():
        return "not valid YAML: `*` without quotes refers to an anchor", f'Put the pattern in quotes: "{star[1]}".'
    return None


def of_document(manifest: Mapping[Any, Any]) -> tuple[str, str] | None:
    """Return what a document is if it is the configuration of another gateway, and not one of our manifests."""
    if "kind" in manifest:
        return None
    fix = "Run `claude-gateway import {} FILE > gateway/imported.yaml`: it writes ModelRoutes and the rest."
    if _LITELLM & set(manifest):
        return "this is a config.yaml of LiteLLM's proxy, not a manifest", fix.format("litellm")
    if set(manifest) >= _ROUTER:
        return "this is a config.json of claude-code-router, not a manifest", fix.format("ccr")
    return None


def of_secret_value(value: str, *, encoded: bool) -> tuple[str, str] | None:
    """Return why a Secret's value is probably no key, and the fix; never the value. ``encoded``: it is under `data`."""
    if encoded:
        value = _decoded(value) or ""
    fix = "Write $NAME in `stringData`; serve, lint and doctor fill in the variable NAME."
    value = value.strip()
    if value.startswith(_ENVIRON):
        return "the value is a reference to LiteLLM's, which would be sent as the key", fix
    if value.startswith("$") and not _VARIABLE.fullmatch(value.strip("${}")):
        return "the value begins with `$` but names no variable, so it would be sent as the key", fix
    if _PERCENT.fullmatch(value) or ("\n" not in value and any(each in value for each in _TEMPLATES)):
        return "the value is a variable of another program, which would be sent as the key", fix
    if value.lower().startswith("bearer "):
        return "the value begins with `Bearer`, which is not part of a key", "Write the key alone."
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return "the value has quotes of its own, which would be sent", "Write the key in one pair of quotes."
    if len(value) <= _LONGEST_PLACEHOLDER and _PLACEHOLDER.fullmatch(value):
        return "the value is a placeholder, which would be sent as the key", fix
    inner = _decoded(value)
    if inner is not None and _KEY.fullmatch(inner.strip()):
        where = "encode it once" if encoded else "use `stringData` for plain text, and `data` for base64"
        return "the value is base64 of a key, and the base64 would be sent", f"Write the key itself: {where}."
    return None


def holds_key(text: str) -> bool:
    """Return whether a text holds a client key of a gateway."""
    return _CLIENT_KEY.search(text) is not None


def without_keys(text: str) -> str:
    """Return what another program or server says with `***` for each key and token in it."""
    return _SHOWN_KEY.sub("***", text)


def _decoded(value: str) -> str | None:
    """Decode base64 as people write it: in lines, without its padding, in the alphabet for URLs."""
    bare = "".join(value.split()).translate(_URL_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
