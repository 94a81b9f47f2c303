"""``python -m claude_gateway_scripted --listen 127.0.0.1:4001``: the stand-in as a process."""

import argparse
import asyncio
import json
import signal
from collections.abc import Sequence
from typing import Final, get_args

from claude_gateway_scripted.script import Config, Greeting
from claude_gateway_scripted.server import Server

GRACE: Final = 10.0
"""Seconds that running answers get after SIGTERM."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="claude_gateway_scripted", description="A scripted stand-in for LLM vendors")
    parser.add_argument("--listen", default="127.0.0.1:4001", metavar="HOST:PORT", help="port 0 takes a free one")
    parser.add_argument("--greeting", default="echo", choices=get_args(Greeting), help="what the default answer says")
    parser.add_argument(
        "--plain-words",
        type=int,
        default=0,
        metavar="N",
        help="answer all calls from N words encoded beforehand: no script, no log; for use under load",
    )
    parser.add_argument("--chunk-delay", type=float, default=0.0, metavar="S", help="seconds before each chunk")
    given = parser.parse_args(arguments)
    host, _, port = given.listen.rpartition(":")
    config = Config(greeting=given.greeting, plain_words=given.plain_words, chunk_delay=given.chunk_delay)
    asyncio.run(_serve(host.strip("[]"), int(port), config))


async def _serve(host: str, port: int, config: Config) -> None:
    server = Server(config)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    address, bound = await server.start(host, port)
    shown = f"[{address}]" if ":" in address else address
    print(json.dumps({"event": "listening", "address": f"{shown}:{bound}"}, separators=(",", ":")), flush=True)
    await stopped.wait()
    await server.stop(GRACE)


if __name__ == "__main__":
    main()
