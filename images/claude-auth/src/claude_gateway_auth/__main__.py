"""``python -m claude_gateway_auth``: runs until SIGTERM or SIGINT, then until a running refresh is stored."""

import asyncio
import logging
import os
import ssl
import sys
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

from aiohttp import web

from claude_gateway.names import AUTH_MANAGER
from claude_gateway_auth.devices.codes import Devices
from claude_gateway_auth.devices.grants import Grants
from claude_gateway_auth.devices.tokens import Issuer, SigningKeyError
from claude_gateway_auth.driver.cli import Cli, CliMissingError
from claude_gateway_auth.home import Homes
from claude_gateway_auth.login_writer import LoginWriter
from claude_gateway_auth.metrics import Metrics
from claude_gateway_auth.oidc import Oidc
from claude_gateway_auth.parent import guarded
from claude_gateway_auth.refresh import Refresher
from claude_gateway_auth.service import Service
from claude_gateway_auth.settings import Settings
from claude_gateway_auth.sign_in_runner import SignInRunner
from claude_gateway_auth.store.cluster import ClusterStore
from claude_gateway_auth.store.folder import FolderStore
from claude_gateway_auth.store.store import Store, StoreError
from claude_gateway_auth.trust import authorities
from claude_gateway_auth.web.access import Access, session_secret
from claude_gateway_auth.web.app import create
from claude_gateway_auth.web.device import SignIns
from claude_gateway_runtime import logs
from claude_gateway_runtime.kube import Cluster, Kube
from claude_gateway_runtime.server.listener import bind
from claude_gateway_runtime.server.serving import serve
from claude_gateway_runtime.settings import host_and_port, join_host_port, load

_log: Final = logging.getLogger("claude_gateway_auth")
_QUIET: Final = {"uvicorn": logging.WARNING, "aiohttp": logging.WARNING, "httpx": logging.WARNING}


async def run(settings: Settings) -> None:
    """Serve until a signal. Raises OSError, StoreError, CliMissingError and SigningKeyError if it cannot start."""
    cli = Cli.find(settings.cli, os.environ)
    async with AsyncExitStack() as stack:
        writer = LoginWriter(await _store(settings, stack))
        homes = Homes(settings.run_dir)
        metrics = Metrics()
        early = timedelta(seconds=settings.refresh_before_seconds)
        refresher = Refresher(writer, homes, cli, early=early, metrics=metrics)
        sign_ins = SignInRunner(writer, homes, cli)
        service = Service(writer=writer, sign_ins=sign_ins, refresher=refresher, homes=homes, cli=cli)
        key, client_secret = _secret(settings.auth_key_file), _secret(settings.oidc_client_secret_file)
        secret = session_secret(key, client_secret)
        oidc = _oidc(settings, client_secret, authorities(cli.inherited))
        app = create(
            service=service,
            access=Access(key=key or None, secret=secret),
            oidc=oidc,
            secret=secret,
            emails=settings.emails,
            sign_ins=_sign_ins(settings, oidc),
            public_url=settings.public_url,
        )
        bound = bind(*host_and_port(settings.listen))
        await _measure(settings, metrics, stack)
        logs.emit(_log, "listening", address=join_host_port(*bound.getsockname()[:2]))
        probing = service.probing(settings.probe_seconds) if settings.probe_seconds else asyncio.Event().wait()

        async def work() -> None:
            async with asyncio.TaskGroup() as group:
                for part in (refresher.run(), sign_ins.run(), probing):
                    group.create_task(part)

        await serve(app, bound, shutdown_seconds=settings.shutdown_seconds, work=work())
    logs.emit(_log, "stopped")


async def _store(settings: Settings, stack: AsyncExitStack) -> Store:
    if settings.source == "folder" and settings.state_dir and settings.credentials_file:
        store = FolderStore(settings.state_dir, settings.credentials_file)
        stack.callback(store.close)
        return store
    cluster = Cluster(url=settings.apiserver_url, token_file=settings.token_file, ca_file=settings.ca_file)
    kube = await stack.enter_async_context(Kube(cluster, manager=AUTH_MANAGER))
    own = settings.namespace or ("" if settings.namespaces else settings.namespace_file.read_text("utf-8").strip())
    return ClusterStore(kube, settings.namespaces or (own,))


def _oidc(settings: Settings, client_secret: str, trust: ssl.SSLContext) -> Oidc | None:
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    return Oidc(
        settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=client_secret or None,
        trust=trust,
        groups_claim=settings.groups_claim,
    )


def _sign_ins(settings: Settings, oidc: Oidc | None) -> SignIns | None:
    """Return what signs devices in; None without a signing key. Raises OSError and SigningKeyError."""
    if settings.signing_key_file is None or oidc is None:
        return None
    issuer = Issuer(
        settings.signing_key_file.read_text("utf-8"),
        name=settings.token_issuer or f"{(settings.public_url or '').rstrip('/')}/auth",
        audience=settings.token_audience,
        seconds=settings.token_seconds,
    )
    devices = Devices(time.monotonic)
    grants = Grants(devices=devices, issuer=issuer, provider=oidc)
    return SignIns.of(devices=devices, issuer=issuer, grants=grants, scope=settings.device_scope)


def _secret(path: "os.PathLike[str] | None") -> str:
    """Return the content of a file with a secret; empty without a file. Raises OSError."""
    if path is None:
        return ""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - any path
        found = file.read(4096).strip()
    if len(found) < 16:
        raise OSError(f"{path} has fewer than 16 characters: write a longer secret")
    return found


async def _measure(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(body=metrics.page(), headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/metrics", page)
    app.router.add_get("/healthz", healthy)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    host, port = host_and_port(settings.metrics_listen)
    await web.TCPSite(runner, host or None, port).start()
    logs.emit(_log, "measuring", address=join_host_port(*runner.addresses[0][:2]))


def main() -> int:
    """Run, under a parent where this is the first process of a container."""
    logs.configure("info", quiet=_QUIET)
    return guarded(_serve) if os.getpid() == 1 else _serve()


def _serve() -> int:
    """Read the settings and run; 2 for wrong settings, 1 if it cannot start."""
    settings = load(Settings, log=_log)
    if settings is None:
        return 2
    logs.configure(settings.log_level, quiet=_QUIET)
    try:
        asyncio.run(run(settings))
    except (OSError, StoreError, CliMissingError, SigningKeyError) as error:
        logs.emit(_log, "start_failed", level=logging.ERROR, error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
