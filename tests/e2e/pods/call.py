"""Runs in a pod: one request with the token in a file. Prints its status, the client it was taken for, and any error.

``call.py FILE MODEL``
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path


def main(file: str, model: str) -> None:
    """Ask once."""
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    request = urllib.request.Request(
        f"{os.environ['ANTHROPIC_BASE_URL']}/v1/messages",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {Path(file).read_text().strip()}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, headers, message = answer.status, answer.headers, ""
    except urllib.error.HTTPError as error:
        status, headers, message = error.code, error.headers, json.load(error)["error"]["message"]
    print(json.dumps({"status": status, "client": headers["x-gateway-client"], "message": message}))


if __name__ == "__main__":
    main(*sys.argv[1:])
