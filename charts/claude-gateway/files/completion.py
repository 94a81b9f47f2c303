"""What `helm test` runs: lists the models with a client key, then asks one of them for a completion."""

import json
import os
import sys
from http.client import HTTPConnection
from typing import Any

SECONDS = 120


def ask(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The gateway's JSON answer; ends the program with what it said if it refused."""
    link = HTTPConnection(os.environ["HOST"], int(os.environ["PORT"]), timeout=SECONDS)
    headers = {"authorization": f"Bearer {os.environ['CLIENT_KEY']}", "content-type": "application/json"}
    try:
        link.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        answer = link.getresponse()
        text = answer.read().decode(errors="replace")
    except OSError as error:
        sys.exit(f"{path}: no answer: {error}")
    if answer.status != 200:
        sys.exit(f"{path}: {answer.status} {text}")
    parsed: dict[str, Any] = json.loads(text)
    return parsed


listed = [str(model["id"]) for model in ask("GET", "/v1/models")["data"]]
print(f"the gateway knows the key and lists {len(listed)} models")
model = os.environ["MODEL"] or next(iter(listed), "")
if not model:
    sys.exit("no completion was sent: no route names a model yet (patterns are not listed; set tests.model for one)")
prompt = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Say hello."}]}
answer = ask("POST", "/v1/messages", prompt)
if answer.get("type") != "message" or not answer.get("content"):
    sys.exit(f"{model} sent no message: {json.dumps(answer)[:500]}")
print(f"{model} completed, stop reason {answer.get('stop_reason')}")
