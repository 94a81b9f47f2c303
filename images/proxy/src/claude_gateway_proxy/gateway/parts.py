"""Creates the components of the process from its settings."""

import logging
import time
from collections.abc import Mapping
from typing import Final

from claude_gateway.names import USAGE_DIR
from claude_gateway_proxy.gateway.admission.counters.server import Server
from claude_gateway_proxy.gateway.admission.load import Bounds, Load
from claude_gateway_proxy.gateway.auth.proxies import Proxies
from claude_gateway_proxy.gateway.auth.proxy_secret import ProxySecret
from claude_gateway_proxy.gateway.caching.cache import ResponseCache
from claude_gateway_proxy.gateway.caching.store import Memory
from claude_gateway_proxy.gateway.caching.valkey import ValkeyStore
from claude_gateway_proxy.gateway.content import capture
from claude_gateway_proxy.gateway.cors import Cors
from claude_gateway_proxy.gateway.settings import Settings
from claude_gateway_proxy.gateway.telemetry import otlp
from claude_gateway_proxy.gateway.usage.sinks import sink_of
from claude_gateway_proxy.gateway.usage.usage import UsageEvents
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.server.certificate import Certificate
from claude_gateway_runtime.server.protocol import App

_log: Final = logging.getLogger(__name__)


def public(settings: Settings, app: App) -> App:
    """Return the application for clients: ``app``, wrapped for browsers and trusted proxies. Raises OSError."""
    if settings.cors_origins:
        app = Cors(app, origins=settings.cors_origins)
    header, secret_file = settings.certificate_header, settings.client_cert_secret_file
    if header is None:
        return app
    secret = None if secret_file is None else ProxySecret(secret_file)
    return Proxies(app, header=header, networks=settings.client_cert_networks, secret=secret)


def certificate(settings: Settings) -> Certificate | None:
    """Return the certificate of HTTPS; None without one. Raises OSError."""
    if settings.certificate is None:
        return None
    return Certificate(*settings.certificate, client_ca_file=settings.tls_client_ca_file)


def responses(settings: Settings) -> ResponseCache | None:
    """Return the store of cached answers; None if its size is 0."""
    if settings.cache_valkey_address is not None:
        server = Server(
            settings.cache_valkey_address,
            tls=settings.cache_valkey_tls,
            ca_file=settings.cache_valkey_ca_file,
            username=settings.cache_valkey_username,
            password_file=settings.cache_valkey_password_file,
        )
        return ResponseCache(ValkeyStore(server.client(), prefix=settings.cache_valkey_prefix), clock=time.time)
    if not settings.cache_bytes:
        return None
    return ResponseCache(Memory(limit=settings.cache_bytes, clock=time.monotonic), clock=time.time)


def content(environ: Mapping[str, str]) -> capture.Capture | None:
    """Return the capture of content, if traces are sent and the environment enables it; otherwise None."""
    if not otlp.wanted("traces", environ):
        return None
    try:
        if not capture.wanted(environ):
            return None
    except ValueError as error:
        emit(_log, "content_not_captured", level=logging.WARNING, error=str(error))
        return None
    hint = "spans contain what people and models write: limit who can read the traces, and how long they are kept"
    emit(_log, "content_captured", level=logging.WARNING, hint=hint)
    return capture.Capture()


def usage_events(settings: Settings) -> UsageEvents | None:
    """Return the usage events, if they are enabled; a full disk does not keep the gateway from starting."""
    if settings.usage_sink is None:
        return None
    sink = sink_of(settings.usage_sink, settings.usage_sink_headers_file)
    folder = settings.usage_spool_dir or settings.run_dir / USAGE_DIR
    try:
        return UsageEvents(folder, sink, limit=settings.usage_spool_bytes)
    except OSError as error:
        emit(_log, "usage_unavailable", level=logging.ERROR, folder=str(folder), error=str(error))
        return None


def load(settings: Settings) -> Load:
    """Return the limits of concurrent requests and buffered bytes."""
    return Load(
        pod=Bounds(requests=settings.max_in_flight, bytes=settings.max_buffered_bytes),
        client=Bounds(requests=settings.max_in_flight_per_client, bytes=settings.max_buffered_bytes_per_client),
    )
