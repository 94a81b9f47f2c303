"""Runs in a pod: one session of Claude Code with a key helper, which receives one prompt after another.

``session.py MODEL HELPER TTL_MS COUNT PAUSE`` prints the answers as a JSON list; an error is one of them.
"""

import json
import os
import subprocess
import sys
import time


def main(model: str, helper: str, ttl: str, count: str, pause: str) -> None:
    """Say ``hello 0`` and so on, with a pause after each answer."""
    settings = {"apiKeyHelper": helper, "env": {"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": ttl}}
    words = ["--settings", json.dumps(settings), "--model", model, "-p", "--verbose"]
    words += ["--input-format", "stream-json", "--output-format", "stream-json"]
    with subprocess.Popen(
        ["claude-newest", *words], env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        answers = []
        for number in range(int(count)):
            message = {"type": "user", "message": {"role": "user", "content": f"hello {number}"}}
            child.stdin.write(json.dumps(message) + "\n")
            child.stdin.flush()
            events = (json.loads(line) for line in child.stdout)
            answers.append(next((event["result"] for event in events if event.get("type") == "result"), "ended"))
            time.sleep(float(pause))
        child.stdin.close()
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
