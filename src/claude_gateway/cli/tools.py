"""The settings that point a client at the gateway, by client, and the variables that would override them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from claude_gateway.contract.nearby import BYPASS_VARIABLES, PROXY_VARIABLES, is_near, with_bypass


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable and the reason for it. The value may be a key."""

    name: str
    value: str
    why: str

    def __repr__(self) -> str:
        return f"Setting(name={self.name!r})"


CLAUDE: Final = "claude"
ANTHROPIC: Final = "anthropic"
OPENAI: Final = "openai"
ALL: Final = "all"

# Each of these points Claude Code elsewhere, or sends another credential, whatever the base URL is.
_OVERRIDES: Final = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_MANTLE",
)
_OPENAI_OVERRIDES: Final = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORGANIZATION",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
)


def claude(url: str, key: str) -> tuple[Setting, ...]:
    """Return the settings of Claude Code: a token, because Claude Code asks for consent to use an API key."""
    return (
        Setting("ANTHROPIC_BASE_URL", url, "Claude Code and the Anthropic SDK call the gateway"),
        Setting("ANTHROPIC_AUTH_TOKEN", key, "the client key; sent as `Authorization: Bearer`"),
        Setting("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1", "Claude Code contacts only the gateway"),
        Setting("CLAUDE_CODE_GATEWAY_HINT_HEADERS", "1", "Claude Code says what each request is for; rules use it"),
    )


def anthropic(url: str, key: str) -> tuple[Setting, ...]:
    """Return the settings of the Anthropic SDK and libraries on top of it; LangChain supports only the API key."""
    return (
        Setting("ANTHROPIC_BASE_URL", url, "the Anthropic SDK calls the gateway"),
        Setting("ANTHROPIC_API_KEY", key, "the client key; sent as `x-api-key`"),
    )


def openai(url: str, key: str) -> tuple[Setting, ...]:
    """Return the settings of the OpenAI SDK and libraries on top of it."""
    return (
        Setting("OPENAI_BASE_URL", f"{url}/v1", "the OpenAI SDK calls the gateway"),
        Setting("OPENAI_API_KEY", key, "the client key; sent as `Authorization: Bearer`"),
    )


def settings(tool: str, *, url: str, key: str) -> tuple[Setting, ...]:
    """Return the settings of one client or of all, without duplicates."""
    made = {CLAUDE: claude, ANTHROPIC: anthropic, OPENAI: openai}
    if tool == ALL:
        return claude(url, key) + openai(url, key)
    return made[tool](url, key)


def for_program(program: str, *, url: str, key: str) -> tuple[Setting, ...]:
    """Return what `run` sets: for Claude Code its own settings, for any other program those of the SDKs."""
    if program == CLAUDE:
        return claude(url, key)
    # An SDK that finds both kinds of Anthropic credential raises an error; LangChain reads only the API key.
    quiet = claude(url, key)[2:]
    return anthropic(url, key) + openai(url, key) + quiet


def bypass(url: str, ambient: Mapping[str, str], *, reached: bool = False) -> tuple[Setting, ...]:
    """Return the settings that keep a client from using an HTTP proxy for the gateway; empty without a proxy.

    ``reached``: the gateway answered without a proxy. Otherwise only a host that is near is known to need none.
    """
    host = urlsplit(url).hostname or ""
    if not any(ambient.get(name) for name in PROXY_VARIABLES) or not (reached or is_near(host)):
        return ()
    present = next((ambient[name] for name in BYPASS_VARIABLES if ambient.get(name)), "")
    value = with_bypass(present, [host])
    return tuple(Setting(name, value, "the gateway is reached without the HTTP proxy") for name in BYPASS_VARIABLES)


def hidden(program: str, ambient: Mapping[str, str], settings: Iterable[Setting]) -> tuple[str, ...]:
    """Return the environment variables that override ``settings``; `run` removes them."""
    names = _OVERRIDES if program == CLAUDE else _OVERRIDES + _OPENAI_OVERRIDES
    same = {setting.name for setting in settings if ambient.get(setting.name) == setting.value}
    return tuple(name for name in names if ambient.get(name) and name not in same)
