"""What a ClaudeCredential's status says beyond its conditions, as a value and as it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

_TEXTS: Final = {
    "expires_at": "expiresAt",
    "refreshed_at": "refreshedAt",
    "subscription_type": "subscriptionType",
    "rate_limit_tier": "rateLimitTier",
}


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """What an upstream answered about a credential: when, to what, with which outcome (``ok``, ``rejected``, ...)."""

    at: str
    outcome: str
    asked: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a subscription: how much of it is used, and when the next one begins."""

    name: str
    percent: int
    resets_at: str | None = None


@dataclass(frozen=True, slots=True)
class CredentialDetails:
    """When a credential ends and was renewed, the subscription behind it, and the last answer; times as Kubernetes
    writes them.
    """

    expires_at: str | None = None
    refreshed_at: str | None = None
    subscription_type: str | None = None
    rate_limit_tier: str | None = None
    windows: tuple[Window, ...] = ()
    last_answer: LastAnswer | None = None

    def with_answer(self, answer: LastAnswer | None) -> "CredentialDetails":
        """Return the same with this answer."""
        return replace(self, last_answer=answer)

    def document(self) -> dict[str, Any]:
        """Return the details as they are stored, without what is not known."""
        found: dict[str, Any] = {key: getattr(self, name) for name, key in _TEXTS.items() if getattr(self, name)}
        if self.windows:
            found["windows"] = [
                {
                    "name": window.name,
                    "usedPercent": window.percent,
                    **({"resetsAt": window.resets_at} if window.resets_at else {}),
                }
                for window in self.windows
            ]
        if self.last_answer is not None:
            last = self.last_answer
            found["lastAnswer"] = {"at": last.at, "outcome": last.outcome, "asked": last.asked, "answer": last.answer}
        return found


def read_details(raw: object) -> CredentialDetails | None:
    """Read stored details; malformed parts are skipped."""
    if not isinstance(raw, Mapping):
        return None
    texts = {name: _text(raw.get(key)) for name, key in _TEXTS.items()}
    windows = raw.get("windows")
    found = tuple(filter(None, map(_window, windows))) if isinstance(windows, list) else ()
    return CredentialDetails(**texts, windows=found, last_answer=_answer(raw.get("lastAnswer")))


def _window(raw: object) -> Window | None:
    if not isinstance(raw, Mapping):
        return None
    name, percent = _text(raw.get("name")), raw.get("usedPercent")
    return Window(name, percent, _text(raw.get("resetsAt"))) if name and isinstance(percent, int) else None


def _answer(raw: object) -> LastAnswer | None:
    if not isinstance(raw, Mapping):
        return None
    at, outcome, asked, answer = (_text(raw.get(name)) for name in ("at", "outcome", "asked", "answer"))
    return LastAnswer(at, outcome, asked or "", answer or "") if at and outcome else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
