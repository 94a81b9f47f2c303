"""Asks Anthropic whether a login is valid, without asking a model: one count of tokens, sent by the genuine CLI.

The CLI's ``/context`` counts tokens. Its requests come to a loopback server, which passes on the first one exactly as
the CLI made it, and answers the others itself.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
from aiohttp import web

from claude_gateway.contract.login import LongLivedToken, OAuth, Outcome, Probe, Window
from claude_gateway_auth.driver.cli import Cli
from claude_gateway_auth.driver.login import run
from claude_gateway_auth.home import Homes, Purpose, Record
from claude_gateway_auth.login_writer import clock
from claude_gateway_auth.trust import authorities
from claude_gateway_runtime.logs import unexpected

_log: Final = logging.getLogger("claude_gateway_auth.probe")
_ANTHROPIC: Final = "https://api.anthropic.com"
_ASKED: Final = "one count of tokens"
_CLI_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 30.0
_DROPPED: Final = frozenset(("host", "content-length", "accept-encoding", "connection"))
_UNIFIED: Final = "anthropic-ratelimit-unified-"

Probed = tuple[Probe, dict[str, Window]]


class Prober:
    """Probes, one at a time: each runs a CLI for a second or two."""

    def __init__(self, homes: Homes, cli: Cli) -> None:
        self._homes = homes
        self._cli = cli
        self._one = asyncio.Lock()

    async def probe(self, login: OAuth | LongLivedToken, record: Record) -> Probed:
        """Return what Anthropic says about a login."""
        async with self._one:
            shim = _Shim(authorities(self._cli.inherited))
            runner = web.AppRunner(shim.app(), access_log=None)
            await runner.setup()
            home = self._homes.make(record)
            try:
                site = web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                port = runner.addresses[0][1]
                # By the variable, without a file: a probe must never refresh.
                asking = asyncio.create_task(
                    run(
                        self._cli,
                        home,
                        *("-p", "/context"),
                        seconds=_CLI_SECONDS,
                        ANTHROPIC_BASE_URL=f"http://127.0.0.1:{port}",
                        CLAUDE_CODE_OAUTH_TOKEN=login.access_token,
                        **self._cli.direct(),
                    )
                )
                either: set[asyncio.Future[Any]] = {asking, shim.answer}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                asking.cancel()
                with suppress(asyncio.CancelledError):
                    await asking
                return shim.answer.result() if shim.answer.done() else unavailable("Claude Code asked nothing.")
            finally:
                await runner.cleanup()
                await asyncio.to_thread(home.remove)


class _Shim:
    """The loopback server of one probe."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self.answer: asyncio.Future[Probed] = asyncio.get_running_loop().create_future()
        self._trust = trust
        self._passed = False

    def app(self) -> web.Application:
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.path.endswith("/count_tokens") and not self._passed:
            self._passed = True
            found = await self._pass(request, body)
            if not self.answer.done():
                self.answer.set_result(found)
        if request.path.endswith("/count_tokens"):
            return web.json_response({"input_tokens": 1})
        # Above all a request to a model is answered here, and goes nowhere.
        return web.json_response(
            {"type": "error", "error": {"type": "invalid_request_error", "message": "probe"}}, status=400
        )

    async def _pass(self, request: web.Request, body: bytes) -> Probed:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _DROPPED}
        try:
            async with (
                aiohttp.ClientSession(
                    trust_env=True,
                    timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS),
                    cookie_jar=aiohttp.DummyCookieJar(),
                ) as session,
                session.post(
                    f"{_ANTHROPIC}{request.path_qs}",
                    data=body,
                    headers=headers,
                    ssl=self._trust,
                    allow_redirects=False,
                ) as response,
            ):
                return judged(response.status, response.headers)
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            unexpected(_log, "probe_failed", error)
            return unavailable("Anthropic could not be reached.")


def judged(status: int, headers: Mapping[str, str]) -> Probed:
    """Return what an answer says about the login. Pure, but for the time."""
    now = clock()
    if status == 401:
        message = "Anthropic rejected the login. Sign in again."
        return Probe(at=now, asked=_ASKED, outcome=Outcome.REJECTED, message=message), {}
    if status == 403:
        message = "Anthropic does not let this login be used: look at the account, or sign in again."
        return Probe(at=now, asked=_ASKED, outcome=Outcome.REJECTED, message=message), {}
    if status == 200 or status == 429:
        message = "" if status == 200 else "The login is valid; its rate limit is used up for now."
        return Probe(at=now, asked=_ASKED, outcome=Outcome.OK, message=message), windows(headers)
    return unavailable(f"Anthropic answered with status {status}.")


def unavailable(message: str) -> Probed:
    """Return a probe that learned nothing about the login."""
    return Probe(at=clock(), asked=_ASKED, outcome=Outcome.UNAVAILABLE, message=message), {}


def windows(headers: Mapping[str, str]) -> dict[str, Window]:
    """Return the subscription's windows, where the answer names them."""
    found: dict[str, dict[str, str]] = {}
    for name, value in headers.items():
        window, _, field = name.lower().removeprefix(_UNIFIED).rpartition("-")
        if name.lower().startswith(_UNIFIED) and window and field in ("utilization", "reset", "status"):
            found.setdefault(window[:64], {})[field] = value
    judged = {name: _window(fields) for name, fields in sorted(found.items())[:16]}
    return {name: one for name, one in judged.items() if one is not None}


def _window(fields: Mapping[str, str]) -> Window | None:
    try:
        return Window(
            utilization=float(fields["utilization"]) if "utilization" in fields else None,
            resets_at=datetime.fromtimestamp(int(fields["reset"]), UTC) if "reset" in fields else None,
            status=fields.get("status"),
        )
    except (ValueError, OverflowError, OSError):
        return None


def record(namespace: str, name: str) -> Record:
    """Return the record of a probe's home."""
    return Record(Purpose.OTHER, namespace, name)
