"""What `helm test` runs: lists the models with a client key, then asks one of them for a completion."""

import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

SECONDS = 120


def ask(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The gateway's JSON answer; ends the program with what it said if it refused."""
    headers = {"authorization": f"Bearer {os.environ['CLIENT_KEY']}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["BASE_URL"] + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            parsed: dict[str, Any] = json.load(answer)
            return parsed
    except urllib.error.HTTPError as error:
        sys.exit(f"{path}: {error.code} {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"{path}: no answer: {error}")


listed = [str(model["id"]) for model in ask("/v1/models")["data"]]
print(f"the gateway knows the key and lists {len(listed)} models")
model = os.environ["MODEL"] or next(iter(listed), "")
if not model:
    sys.exit("no completion was sent: no route names a model yet (patterns are not listed; set tests.model for one)")
prompt = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Say hello."}]}
answer = ask("/v1/messages", prompt)
if answer.get("type") != "message" or not answer.get("content"):
    sys.exit(f"{model} gave no message: {json.dumps(answer)[:500]}")
print(f"{model} completed, stop reason {answer.get('stop_reason')}")
