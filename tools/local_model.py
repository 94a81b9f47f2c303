"""A real, small model on this machine: llama.cpp's server with Gemma 3 270M, as ``make setup-llama-server`` builds it.

``python -m tools.local_model --listen HOST:PORT -- COMMAND`` runs a command while the model is served. The environment
variables ``LLAMA_SERVER`` and ``LLAMA_MODEL`` name another program and another model file.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".clients" / "llama-server"
TEMPLATE: Final = ROOT / "examples" / "quickstart" / "local" / "chat.jinja"
NAME: Final = "gemma-3-270m"

_SLOTS: Final = 2
_CONTEXT: Final = 32_768
"""Tokens per slot of ``make run MODEL=local``: what the model was made for."""
_PAUSE: Final = 0.2


class NotInstalled(Exception):  # noqa: N818 - what is wrong, in the words of the user
    """The server or the model is missing; the message says how to install it."""


def arguments(*, host: str, port: int, context: int = _CONTEXT, slots: int = _SLOTS) -> list[str]:
    """Return the command line of the server; ``context`` is in tokens per slot. Raises NotInstalled."""
    server = Path(os.environ.get("LLAMA_SERVER") or FOLDER / "server" / "llama-server")
    model = Path(os.environ.get("LLAMA_MODEL") or FOLDER / "model.gguf")
    for path in (server, model):
        if not path.exists():
            raise NotInstalled(f"{path} is missing: make setup-llama-server")
    return [
        *(str(server), "--model", str(model), "--alias", NAME, "--host", host, "--port", str(port)),
        *("--ctx-size", str(context * slots), "--parallel", str(slots), "--threads", str(_threads())),
        # The model has learnt no chat format: it continues the template's examples, also by the user's next turn.
        *("--jinja", "--chat-template-file", str(TEMPLATE), "--reverse-prompt", "User:", "--temp", "0"),
    ]


def _threads() -> int:
    """Return how many cores the model may use: all but one.

    The threads wait for each other in a busy loop. With one on every core, other work, be it the gateway's own, stops
    them all: on a busy machine an answer of half a second takes a minute.
    """
    return max(1, (os.cpu_count() or 1) - 1)


def environment() -> dict[str, str]:
    """Return what the server needs besides the environment of this process: its libraries lie beside it."""
    server = Path(os.environ.get("LLAMA_SERVER") or FOLDER / "server" / "llama-server")
    found = os.environ.get("LD_LIBRARY_PATH", "")
    return {"LD_LIBRARY_PATH": f"{server.resolve().parent}{os.pathsep}{found}".rstrip(os.pathsep)}


def is_ready(url: str) -> bool:
    """Whether the server has loaded its model."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310 - an address of ours
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def run(listen: str, command: list[str]) -> int:
    """Serve the model while a command runs, and return the command's exit status. Raises NotInstalled."""
    host, _, port = listen.rpartition(":")
    signal.signal(signal.SIGTERM, _end)
    print(f"local model: loading {NAME}; it is small, and what it says may be wrong", file=sys.stderr)
    child = subprocess.Popen(
        arguments(host=host, port=int(port)),
        env={**os.environ, **environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C is the command's: the server ends after it
    )
    try:
        while not is_ready(f"http://{listen}"):
            if child.poll() is not None:
                print(f"local model: llama-server ended with {child.returncode}; is {listen} free?", file=sys.stderr)
                return 1
            time.sleep(_PAUSE)
        return _outlived(command)
    finally:
        child.terminate()
        child.wait()


def _outlived(command: list[str]) -> int:
    """Run a command to its end: a Ctrl-C reaches it as well, and it needs the time to finish its streams."""
    started = subprocess.Popen(command)
    while True:
        try:
            return started.wait()
        except KeyboardInterrupt:
            continue
        except SystemExit:
            started.terminate()
            started.wait()
            raise


def _end(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Run a command while a small model is served on this machine.")
    parser.add_argument("--listen", default="127.0.0.1:4001", help="where the model is served")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    try:
        return run(given.listen, given.command)
    except NotInstalled as error:
        print(f"local model: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
