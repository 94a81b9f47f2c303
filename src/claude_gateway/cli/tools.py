"""The settings that point a client at the gateway, by client; and those of a login that would win over them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable and why it is set. The value may be a key."""

    name: str
    value: str
    why: str

    def __repr__(self) -> str:
        return f"Setting(name={self.name!r})"


CLAUDE: Final = "claude"
ANTHROPIC: Final = "anthropic"
OPENAI: Final = "openai"
ALL: Final = "all"

# Each of these takes Claude Code elsewhere, or sends another credential, whatever the base URL is.
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
    """Claude Code: a token and not an API key, because Claude Code asks before it uses the latter."""
    return (
        Setting("ANTHROPIC_BASE_URL", url, "Claude Code and the Anthropic SDK talk to the gateway"),
        Setting("ANTHROPIC_AUTH_TOKEN", key, "the client key; sent as `Authorization: Bearer`"),
        Setting("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1", "Claude Code contacts no other host than the gateway"),
    )


def anthropic(url: str, key: str) -> tuple[Setting, ...]:
    """The Anthropic SDK, and what is built on it: LangChain knows the API key alone."""
    return (
        Setting("ANTHROPIC_BASE_URL", url, "the Anthropic SDK talks to the gateway"),
        Setting("ANTHROPIC_API_KEY", key, "the client key; sent as `x-api-key`"),
    )


def openai(url: str, key: str) -> tuple[Setting, ...]:
    """The OpenAI SDK, and what is built on it."""
    return (
        Setting("OPENAI_BASE_URL", f"{url}/v1", "the OpenAI SDK talks to the gateway"),
        Setting("OPENAI_API_KEY", key, "the client key; sent as `Authorization: Bearer`"),
    )


def settings(tool: str, *, url: str, key: str) -> tuple[Setting, ...]:
    """The settings of one client or of all. No variable twice."""
    made = {CLAUDE: claude, ANTHROPIC: anthropic, OPENAI: openai}
    if tool == ALL:
        return claude(url, key) + openai(url, key)
    return made[tool](url, key)


def for_program(program: str, *, url: str, key: str) -> tuple[Setting, ...]:
    """What `run` sets: Claude Code gets its own, any other program what the SDKs read."""
    if program == CLAUDE:
        return claude(url, key)
    # An SDK that finds both kinds of Anthropic credential complains; LangChain reads only the API key.
    quiet = claude(url, key)[2:]
    return anthropic(url, key) + openai(url, key) + quiet


def hidden(program: str, ambient: Mapping[str, str], settings: Iterable[Setting]) -> tuple[str, ...]:
    """The variables in the environment that lead elsewhere than ``settings``; `run` takes them away."""
    names = _OVERRIDES if program == CLAUDE else _OVERRIDES + _OPENAI_OVERRIDES
    same = {setting.name for setting in settings if ambient.get(setting.name) == setting.value}
    return tuple(name for name in names if ambient.get(name) and name not in same)
