"""Message Batches as api.anthropic.com keeps them: each account sees its own, and what it refuses is refused here."""

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from claude_gateway_scripted import anthropic
from claude_gateway_scripted.answer import decide
from claude_gateway_scripted.formats import Failure, Stamp, encode
from claude_gateway_scripted.prompt import InvalidRequestError, directives
from claude_gateway_scripted.script import Config, Json, Step

PATH: Final = re.compile(r"/v1/messages/batches(?:/([^/]+)(/results|/cancel)?)?/?$")
_CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DAY: Final = 24 * 3600


@dataclass(slots=True)
class _Batch:
    account: str
    requests: list[Json]
    base: str
    id: str = field(default_factory=lambda: f"msgbatch_{uuid4().hex[:24]}")
    created: float = field(default_factory=time.time)
    canceled: float | None = None
    ended: float | None = None

    @property
    def status(self) -> str:
        if self.ended is not None:
            return "ended"
        return "in_progress" if self.canceled is None else "canceling"

    def document(self) -> Json:
        over = self.ended is not None
        done = "succeeded" if self.canceled is None else "canceled"
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts[done if over else "processing"] = len(self.requests)
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": counts,
            "ended_at": _time(self.ended),
            "created_at": _time(self.created),
            "expires_at": _time(self.created + _DAY),
            "archived_at": None,
            "cancel_initiated_at": _time(self.canceled),
            "results_url": f"{self.base}/v1/messages/batches/{self.id}/results" if over else None,
        }


class Batches:
    """The batches of all accounts; an account is a credential. One that is asked for ends, and is done at once."""

    def __init__(self) -> None:
        self._kept: dict[str, _Batch] = {}

    def answer(self, method: str, path: str, data: Json, *, account: str, base: str, config: Config) -> bytes:
        """Answer a request with a document, or with lines of results.

        ``base`` is the address of this server. Raises InvalidRequestError where Anthropic answers 400, and RefusedError
        for its other errors.
        """
        match = PATH.search(path)
        ident, below = (match[1], match[2] or "") if match is not None else (None, "")
        if ident is None:
            if method == "POST":
                return encode(self._create(data, account=account, base=base).document())
            own = [each.document() for each in self._kept.values() if each.account == account]
            return encode({"data": own, "has_more": False, "first_id": None, "last_id": None})
        found = self._kept.get(ident)
        if found is None or found.account != account:
            raise RefusedError(Failure(404, f"Message Batch {ident} not found."))
        match method, below:
            case "GET", "":
                found.ended = found.ended or time.time()
                return encode(found.document())
            case "POST", "/cancel":
                if found.ended is not None:
                    raise InvalidRequestError(f"Batch {ident} cannot be canceled because it has already ended.")
                found.canceled = time.time()
                return encode(found.document())
            case "DELETE", "":
                if found.ended is None:
                    raise InvalidRequestError(f"Batch {ident} cannot be deleted while it is in progress.")
                del self._kept[ident]
                return encode({"id": ident, "type": "message_batch_deleted"})
            case "GET", "/results":
                if found.ended is None:
                    raise RefusedError(Failure(404, f"Batch {ident} has no results yet."))
                return b"".join(encode(_result(each, found, config)) + b"\n" for each in found.requests)
        raise RefusedError(Failure(405, "Method not allowed"))

    def _create(self, data: Json, *, account: str, base: str) -> _Batch:
        _only(data, {"requests"}, "")
        requests = data.get("requests")
        if not isinstance(requests, list) or not requests:
            raise InvalidRequestError("requests: Field required")
        seen: set[str] = set()
        for index, request in enumerate(requests):
            at = f"requests.{index}"
            if not isinstance(request, dict) or not isinstance(request.get("params"), dict):
                raise InvalidRequestError(f"{at}.params: Field required")
            _only(request, {"custom_id", "params"}, f"{at}.")
            ident = request.get("custom_id")
            if not isinstance(ident, str) or not _CUSTOM_ID.fullmatch(ident):
                raise InvalidRequestError(f"{at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
            if ident in seen:
                raise InvalidRequestError(f"{at}.custom_id: Must be unique within the batch")
            seen.add(ident)
            if "stream" in request["params"]:
                raise InvalidRequestError(f"{at}.params.stream: Extra inputs are not permitted")
            anthropic.read(request["params"])
        batch = _Batch(account, requests, base)
        self._kept[batch.id] = batch
        return batch


class RefusedError(Exception):
    """Anthropic answers with this failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def _result(request: Json, batch: _Batch, config: Config) -> Json:
    if batch.canceled is not None:
        return {"custom_id": request["custom_id"], "result": {"type": "canceled"}}
    prompt = anthropic.read(request["params"])
    found = directives(prompt.text)
    answer = decide(prompt, step=Step(), directives=found, config=config, size=len(encode(request["params"])))
    message = anthropic.document(answer, Stamp(id=uuid4().hex[:24], created=int(batch.created)))
    return {"custom_id": request["custom_id"], "result": {"type": "succeeded", "message": message}}


def _only(data: Json, known: set[str], at: str) -> None:
    for name in data.keys() - known:
        raise InvalidRequestError(f"{at}{name}: Extra inputs are not permitted")


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
