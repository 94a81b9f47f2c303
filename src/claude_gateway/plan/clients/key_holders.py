"""The holder of each client key: keys and key hashes from Secrets and specs, and lists of people with key hashes."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from claude_gateway.api.base import OWNER, SecretKeyRef
from claude_gateway.api.gateway_client import ClientKey
from claude_gateway.api.proof import KEY_HASH, moment
from claude_gateway.contract.client_keys import Holder
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.secret import find, usable, value_of
from claude_gateway.plan.status.stored_status import timestamp
from claude_gateway.plan.world import World

SHORTEST_KEY: Final = 16
"""Minimum number of characters of a client key."""
LONGEST_LIST: Final = 10_000
"""The most people in one list of hashes."""
MOST_LISTED: Final = 50_000
"""The most lines in all lists of a namespace: twice the keys that fit into a bundle. More would slow every decision."""
SOON: Final = timedelta(days=14)
"""How long before the end of a key its holder is warned."""

_PREFIX: Final = "sha256:"
_HASH: Final = re.compile(KEY_HASH)
_NAME: Final = re.compile(OWNER)
_LONGEST_NAME: Final = 254
_NEW_KEY: Final = "Create a key with `claude-gateway key new`."
_SEPARATE: Final = "Create a separate key for each client with `claude-gateway key new`."


@dataclass(frozen=True, slots=True)
class KeyHolders:
    """The holder of each key, by its SHA-256, and the clients with at least one key."""

    holders: Mapping[str, Holder] = field(repr=False)
    clients: frozenset[ObjectRef]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Claim:
    """One key that a client claims; ``proven``: it has the key itself, and not only the hash, which others may read."""

    ref: ObjectRef
    at: str
    digest: str = field(repr=False)
    holder: Holder
    proven: bool


def resolve(world: World, now: datetime) -> KeyHolders:
    """Settle the claims of all clients.

    A key belongs to the oldest client that has the key itself, else to the oldest that has its hash.
    """
    found: list[_Claim | Problem] = []
    lists = _Lists(world)
    for item in sorted(world.clients, key=lambda item: item.age):
        for index, key in enumerate((item.spec.keys if item.spec is not None else None) or ()):
            found.extend(_claims(item.ref, key, world, lists, at=f"spec.keys[{index}]"))
    claims = [each for each in found if isinstance(each, _Claim)]
    problems = [each for each in found if isinstance(each, Problem)]
    owners: dict[str, ObjectRef] = {}
    holders: dict[str, Holder] = {}
    refused: set[tuple[ObjectRef, str]] = set()
    for claim in sorted(claims, key=lambda claim: not claim.proven):
        owner = owners.setdefault(claim.digest, claim.ref)
        if owner != claim.ref:
            # One Problem for a whole list: thousands of them would say nothing more.
            if (claim.ref, claim.at) not in refused:
                refused.add((claim.ref, claim.at))
                message = f"the key already belongs to {owner}"
                problems.append(Problem(claim.ref, claim.at, Reason.KEY_TAKEN, message, _SEPARATE, other=owner))
            continue
        holders.setdefault(claim.digest, claim.holder)
        problems.extend(_ending(claim, now))
    return KeyHolders(
        holders=dict(sorted(holders.items())), clients=frozenset(owners.values()), problems=tuple(problems)
    )


class _Lists:
    """The lists of people: each is read once, for the first client that names it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._owners: dict[tuple[str, str, str], ObjectRef] = {}
        self._lines: dict[str, int] = {}

    def claims(self, ref: ObjectRef, wanted: SecretKeyRef, *, at: str) -> Iterator[_Claim | Problem]:
        """Yield the keys of a list, and what is wrong with it."""
        secret = usable(self._world.secrets, wanted, owner=ref, at=at, unreadable=self._world.unreadable)
        value = secret if isinstance(secret, Problem) else value_of(secret, wanted.key, owner=ref, at=f"{at}.key")
        if isinstance(value, Problem):
            yield value
            return
        owner = self._owners.get((ref.namespace, wanted.name, wanted.key))
        if owner == ref:
            return
        if owner is not None:
            message = f"the keys of the list already belong to {owner}"
            yield Problem(ref, at, Reason.KEY_TAKEN, message, "Name each list in one client.", other=owner)
        elif self._fits(ref.namespace, value):
            self._owners[ref.namespace, wanted.name, wanted.key] = ref
            yield from _listed(ref, value, at=at)
        else:
            message = f"the lists of namespace {ref.namespace} have more than {MOST_LISTED} lines together"
            yield Problem(ref, at, Reason.TOO_LARGE, message, "Remove people that need no key any more.")

    def _fits(self, namespace: str, value: bytes) -> bool:
        """Return whether a list fits into the rest of its namespace's limit; if so, subtract it."""
        lines = self._lines.get(namespace, 0) + value.count(b"\n") + 1
        if lines > MOST_LISTED:
            return False
        self._lines[namespace] = lines
        return True


def _claims(ref: ObjectRef, key: ClientKey, world: World, lists: _Lists, *, at: str) -> Iterator[_Claim | Problem]:
    """Yield what one entry of ``keys`` claims."""
    if key.hashes_from is not None:
        yield from lists.claims(ref, key.hashes_from, at=f"{at}.hashesFrom")
        return
    holder = Holder(ref.full_name, key.user or "", key.team or "", _seconds(key.expires_at))
    if key.hash is not None:
        yield _Claim(ref, f"{at}.hash", key.hash.removeprefix(_PREFIX), holder, proven=False)
    if key.secret_ref is not None:
        where = f"{at}.secretRef"
        text = find(world.secrets, key.secret_ref, owner=ref, at=where, unreadable=world.unreadable)
        if isinstance(text, Problem):
            yield text
        elif _HASH.fullmatch(text):
            yield _Claim(ref, where, text.removeprefix(_PREFIX), holder, proven=False)
        else:
            digest = hashlib.sha256(text.encode()).hexdigest()
            yield _wrong(ref, text, where) or _Claim(ref, where, digest, holder, proven=True)


def _wrong(owner: ObjectRef, key: str, at: str) -> Problem | None:
    if len(key) < SHORTEST_KEY:
        message = f"the key has fewer than {SHORTEST_KEY} characters"
        return Problem(owner, at, Reason.KEY_TOO_SHORT, message, _NEW_KEY)
    if key.startswith(_PREFIX):
        message = "the key looks like the hash of a key, but is not one"
        fix = "Write `sha256:` and 64 hexadecimal digits in lower case, or store the key itself."
        return Problem(owner, at, Reason.KEY_NOT_ALLOWED, message, fix)
    if key.lower().startswith("sk-ant-"):
        # Claude Code also sends a key of this form to Anthropic's own host, whatever its base URL is.
        message = (
            "the key looks like an Anthropic API key (`sk-ant-...`), so Claude Code would also send it to Anthropic"
        )
        return Problem(owner, at, Reason.KEY_NOT_ALLOWED, message, _NEW_KEY)
    return None


def _listed(ref: ObjectRef, value: bytes, *, at: str) -> Iterator[_Claim | Problem]:
    """Yield the keys of a list of people, and one Problem for all lines that cannot be used."""
    bad: list[int] = []
    count = 0
    for number, line in enumerate(value.decode("utf-8", "replace").split("\n"), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        count += 1
        claim = _line(ref, words, at) if count <= LONGEST_LIST else None
        if claim is None:
            bad.append(number)
        else:
            yield claim
    if bad or not count:
        yield _unusable(ref, at, bad)


def _line(ref: ObjectRef, words: list[str], at: str) -> _Claim | None:
    """Read ``PERSON sha256:HEX [team=TEAM] [expires=TIME]``; None if it is not in this form."""
    person, digest, *more = (*words, "")
    options = dict(word.split("=", 1) for word in more if "=" in word)
    names = [person, options.get("team", person)]
    ends = _seconds(options.get("expires"))
    if (
        not all(len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) for name in names)
        or not _HASH.fullmatch(digest)
        or len(words) != 2 + len(options)
        or not options.keys() <= {"team", "expires"}
        or ("expires" in options and ends is None)
    ):
        return None
    holder = Holder(ref.full_name, person, options.get("team", ""), ends)
    return _Claim(ref, at, digest.removeprefix(_PREFIX), holder, proven=False)


def _seconds(text: str | None) -> int | None:
    found = None if text is None else moment(text)
    return None if found is None else int(found.timestamp())


def _unusable(ref: ObjectRef, at: str, lines: list[int]) -> Problem:
    if not lines:
        return Problem(ref, at, Reason.HASHES_INVALID, "the list of people is empty", _HOW_TO_LIST)
    shown = ", ".join(map(str, lines[:5])) + (", ..." if len(lines) > 5 else "")
    message = f"{len(lines)} lines of the list are not used, because they are not in its form or too many: {shown}"
    return Problem(ref, at, Reason.HASHES_INVALID, message, _HOW_TO_LIST)


_HOW_TO_LIST: Final = (
    "Write `PERSON sha256:HEX [team=TEAM] [expires=TIME]` in each line, such as `alice@example.com sha256:0123... "
    f"expires=2027-01-31T00:00:00Z`, at most {LONGEST_LIST} lines."
)


def _ending(claim: _Claim, now: datetime) -> Iterator[Problem]:
    """Yield a warning if a key ends soon or has ended; its text names the person and does not depend on the hour."""
    if claim.holder.expires is None:
        return
    ends = datetime.fromtimestamp(claim.holder.expires, now.tzinfo)
    if ends - now > SOON:
        return
    whose = f"the key of {claim.holder.user}" if claim.holder.user else "the key"
    message = f"{whose} {'ended' if ends <= now else 'ends'} at {timestamp(ends)}"
    fix = "Add a new key, hand it out, and remove this one."
    yield Problem(claim.ref, claim.at, Reason.KEY_EXPIRING, message, fix, severity=Severity.WARNING)
