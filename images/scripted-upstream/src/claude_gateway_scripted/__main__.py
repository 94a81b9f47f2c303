"""``python -m claude_gateway_scripted --listen 127.0.0.1:4001``: the stand-in as a process."""

import argparse
import asyncio
import json
import signal
import ssl
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
    parser.add_argument("--tls-cert", metavar="FILE", help="PEM file with a certificate, to serve HTTPS as well")
    parser.add_argument("--tls-key", metavar="FILE", help="PEM file with its private key")
    parser.add_argument("--tls-listen", default="127.0.0.1:4444", metavar="HOST:PORT", help="where HTTPS is served")
    given = parser.parse_args(arguments)
    if (given.tls_cert is None) != (given.tls_key is None):
        parser.error("--tls-cert and --tls-key go together")
    config = Config(greeting=given.greeting, plain_words=given.plain_words, chunk_delay=given.chunk_delay)
    listen: list[tuple[str, str, ssl.SSLContext | None]] = [("listening", given.listen, None)]
    if given.tls_cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(given.tls_cert, given.tls_key)
        listen.append(("listening-tls", given.tls_listen, context))
    asyncio.run(_serve(listen, config))


async def _serve(listen: Sequence[tuple[str, str, ssl.SSLContext | None]], config: Config) -> None:
    """Serve on addresses, each with the event that tells of it and its TLS context, if it has one."""
    server = Server(config)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    for event, wanted, context in listen:
        host, _, port = wanted.rpartition(":")
        address, bound = await server.start(host.strip("[]"), int(port), context=context)
        shown = f"[{address}]" if ":" in address else address
        print(json.dumps({"event": event, "address": f"{shown}:{bound}"}, separators=(",", ":")), flush=True)
    await stopped.wait()
    await server.stop(GRACE)


if __name__ == "__main__":
    main()
