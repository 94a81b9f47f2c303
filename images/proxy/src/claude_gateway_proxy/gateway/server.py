"""The gateway's process: listeners, background work, and a shutdown that cuts no stream."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from claude_gateway.contract.report import CredentialReport, Overview, ProcessReport
from claude_gateway.names import ACCESS_TOKENS_DIR, BUNDLE_DIR, GATEWAY_SOCKET, LITELLM_SOCKET
from claude_gateway_proxy.gateway import parts
from claude_gateway_proxy.gateway.app import App
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.batches.batches import Batches
from claude_gateway_proxy.gateway.costs.usage import BudgetUsage
from claude_gateway_proxy.gateway.counting import Counting
from claude_gateway_proxy.gateway.discovery.discovery import Discovery
from claude_gateway_proxy.gateway.discovery.sign_in import SignIn
from claude_gateway_proxy.gateway.exchange import Exchange
from claude_gateway_proxy.gateway.identities.clouds import Identities
from claude_gateway_proxy.gateway.internal import InternalApp
from claude_gateway_proxy.gateway.lanes.codec.lane import CodecLane
from claude_gateway_proxy.gateway.lanes.dispatch import Dispatch
from claude_gateway_proxy.gateway.lanes.litellm import LiteLLMLane
from claude_gateway_proxy.gateway.lanes.relay.lane import RelayLane
from claude_gateway_proxy.gateway.records import Records
from claude_gateway_proxy.gateway.settings import Settings
from claude_gateway_proxy.gateway.snapshot import Snapshot, build
from claude_gateway_proxy.gateway.telemetry import otlp
from claude_gateway_proxy.gateway.telemetry.journal import Journal
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics
from claude_gateway_proxy.gateway.telemetry.overview import overview
from claude_gateway_proxy.gateway.upstream import documents
from claude_gateway_proxy.gateway.upstream.worker import Worker
from claude_gateway_runtime.follower import Follower, Loaded, Refused
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.server.drain import drain
from claude_gateway_runtime.server.listener import Listener, bind
from claude_gateway_runtime.server.protocol import Limits
from claude_gateway_runtime.settings import host_and_port
from claude_gateway_runtime.unixsocket import bind_unix

_LAST_EVENTS: Final = 5.0
"""Seconds in which the last usage events are delivered at the end; the spool keeps the rest."""

_log: Final = logging.getLogger(__name__)


class Process:
    """The components that live as long as the process."""

    def __init__(self, settings: Settings, *, journal: Journal) -> None:
        """Wire the components; nothing runs yet. Raises OSError if an address or a file cannot be used."""
        self._settings = settings
        self._urgent = asyncio.Event()
        self._stopping = asyncio.Event()
        self._live = Follower(settings.run_dir / BUNDLE_DIR, build=build, on_change=self._changed)
        self._metrics = Metrics(in_flight=lambda: self._app.in_flight)
        worker = Worker(str(settings.run_dir / LITELLM_SOCKET))
        self._identities = Identities(
            token_file=settings.identity_token_file, folder=settings.run_dir / ACCESS_TOKENS_DIR
        )
        dispatch = Dispatch(self._identities)
        lanes = (RelayLane(dispatch), CodecLane(dispatch), LiteLLMLane(worker, self._identities))
        self._counting = Counting(settings)
        admission = self._counting.admission
        self._events = parts.usage_events(settings)
        self._exchange = Exchange(lanes, admission=admission, ping_seconds=settings.ping_seconds, events=self._events)
        batches = Batches(admission=admission, credentials=self._exchange.credentials, events=self._events)
        self._issuers = Issuers(documents.fetch)
        self._sign_in = None if settings.sign_in_url is None else SignIn(settings.sign_in_url)
        self._capture = parts.content(os.environ)
        self._otlp = otlp.start(os.environ, content=self._capture is not None)
        self._records = Records(
            metrics=self._metrics,
            journal=journal if settings.log_level in ("debug", "info") else None,
            used=self._counting.note_used,
            otlp=self._otlp,
            events=self._events,
            capture=self._capture,
        )
        self._app = App(
            live=self._live,
            exchange=self._exchange,
            batches=batches,
            issuers=self._issuers,
            records=self._records,
            discovery=self._discovery(worker),
            load=parts.load(settings),
            max_body_bytes=settings.max_body_bytes,
            body_seconds=settings.body_seconds,
            verify_signatures=settings.sigv4 == "verify",
            responses=parts.responses(settings),
        )
        self._watch()
        self._certificate = parts.certificate(settings)
        self._public = self._open()
        internal = InternalApp(
            report=self._report,
            failures=self._exchange.failures.report,
            overview=self._overview,
            metrics=self._metrics,
        )
        self._internal = Listener(internal, bind_unix(settings.run_dir / GATEWAY_SOCKET))

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then until the running answers are complete; a second signal cuts them."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        # Load the configuration before the first request arrives.
        await self._live.check()
        await self._internal.start()
        for listener in self._public:
            await listener.start()
            emit(_log, "listening", address=listener.address, tls=listener.tls)
        async with asyncio.TaskGroup() as group:
            work = [group.create_task(each) for each in (self._live.run(), self._tick(), self._counting.tracker.run())]
            if (valkey := self._counting.valkey) is not None:
                work.append(group.create_task(valkey.run()))
            if (shared := self._counting.shared) is not None:
                work.append(group.create_task(shared.run()))
            if self._certificate is not None:
                work.append(group.create_task(self._certificate.run(distrusted=self._distrusted)))
            await self._stopping.wait()
            await self._drain()
            for task in work:
                task.cancel()
        await self._app.close()
        if self._events is not None:
            await asyncio.to_thread(self._events.close, seconds=_LAST_EVENTS)
        await self._exchange.close()
        if self._capture is not None:
            await asyncio.to_thread(self._capture.close)
        if self._otlp is not None:
            await asyncio.to_thread(self._otlp.close)
        if shared is not None:
            await shared.close()
        if valkey is not None:
            await valkey.close()
        if self._sign_in is not None:
            await self._sign_in.close()

    def _discovery(self, worker: Worker) -> Discovery:
        """Return the handler of requests about the gateway itself."""
        return Discovery(
            issuers=self._issuers,
            worker_started=worker.started,
            find=self._counting.find,
            verify_signatures=self._settings.sigv4 == "verify",
            sign_in=self._sign_in,
            release=self._counting.brake.release,
            budgets=self._budgets,
        )

    def _watch(self) -> None:
        """Have the metrics read the states of the components at each scrape."""
        states, counting = self._metrics.states, self._counting
        states.watch_queue(lambda: counting.admission.waiting)
        states.watch_targets(self._exchange.ledger.ejected)
        states.watch_credentials(self._credentials)
        states.watch_budgets(self._spent)
        if (valkey := counting.valkey) is not None:
            states.watch_valkey(str(self._settings.valkey_address), lambda: valkey.available)
        if self._events is not None:
            states.watch_usage(self._events.state)

    def _open(self) -> Sequence[Listener]:
        settings = self._settings
        limits = Limits(
            age_seconds=settings.max_connection_age_seconds,
            connections=settings.max_connections,
            connections_per_address=settings.max_connections_per_address,
        )
        app = parts.public(settings, self._app)
        plain = Listener(app, bind(*host_and_port(self._settings.listen)), limits=limits)
        if self._certificate is None:
            return [plain]
        bound = bind(*host_and_port(self._settings.tls_listen))
        return [plain, Listener(app, bound, limits=limits, context=self._certificate.context)]

    def _distrusted(self) -> None:
        """End connections whose clients were identified by authorities that may no longer be trusted."""
        for listener in self._public:
            if listener.tls:
                listener.retire()

    def _signalled(self) -> None:
        if self._stopping.is_set():
            self._urgent.set()
        self._stopping.set()

    async def _tick(self) -> None:
        while True:
            for listener in (*self._public, self._internal):
                await listener.tick()
            await asyncio.sleep(1)

    async def _drain(self) -> None:
        self._app.draining = True
        emit(_log, "draining", in_flight=self._app.in_flight, seconds=self._settings.shutdown_seconds)
        seconds = self._settings.shutdown_seconds
        await drain(self._public, in_flight=lambda: self._app.in_flight, urgent=self._urgent, seconds=seconds)
        at_once = self._app.in_flight > 0
        if at_once:
            emit(_log, "answers_cut", level=logging.WARNING, in_flight=self._app.in_flight)
        await asyncio.gather(*(listener.end(at_once=at_once) for listener in self._public))
        if self._settings.linger_seconds:
            # The tokens of an answer are counted when it ends. The pod's agent ends after this process, and reads from
            # it at every scrape.
            emit(_log, "lingering", seconds=self._settings.linger_seconds)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), self._settings.linger_seconds)
        await self._internal.end(at_once=at_once)
        emit(_log, "stopped")

    def _overview(self) -> Overview:
        snapshot = self._live.current
        return overview(
            self._records.running.values(),
            ejected=self._exchange.ledger.ejected(),
            failures=self._exchange.failures.report().failures,
            revision=None if snapshot is None else snapshot.revision,
            now=time.monotonic(),
            unix=time.time(),
        )

    def _budgets(self, principal: Principal) -> Sequence[BudgetUsage]:
        """Return the usage of a caller's budgets."""
        snapshot = self._live.current
        return () if snapshot is None else self._counting.budgets.usage_of(snapshot.payers, principal)

    def _spent(self) -> Iterable[tuple[str, int, int]]:
        """Return what was spent of each budget, and its amount."""
        snapshot = self._live.current
        return () if snapshot is None else self._counting.budgets.spent(snapshot.payers.budgets)

    def _report(self) -> ProcessReport:
        report = self._live.report(in_flight=self._app.in_flight)
        more = {
            "credentials": self._credentials(),
            "clients": self._app.uses.report(),
            "ejected": self._exchange.ledger.ejected_for_long(),
            "budgets": self._counting.tracker.report(),
            "drained": self._app.draining and not self._app.in_flight,
        }
        return report.model_copy(update=more)

    def _credentials(self) -> tuple[CredentialReport, ...]:
        """What is known about the credentials that were used: the last answer, and how the renewal stands."""
        answers, renewals = self._exchange.credentials.report(), self._identities.renewals()
        joined = {name: _joined(answers.get(name), renewal) for name, renewal in renewals.items()}
        return tuple({**answers, **joined}.values())

    def _changed(self, change: Loaded[Snapshot] | Refused) -> None:
        if isinstance(change, Refused):
            self._metrics.refused()
            emit(_log, "config_refused", level=logging.ERROR, revision=change.revision, error=change.error)
            return
        snapshot = change.value
        self._issuers.keep_only(set(snapshot.callers.tokens.sources))
        self._metrics.loaded(snapshot, now=time.time())
        emit(
            _log,
            "config_loaded",
            revision=snapshot.revision,
            routes=len(snapshot.routing.routes),
            clients=len(snapshot.clients),
            took_ms=round(change.seconds * 1000, 1),
        )
        if not snapshot.callers:
            hint = "every request is refused: make a key with `claude-gateway key new` and name it in a GatewayClient"
            emit(_log, "no_client_keys", level=logging.WARNING, hint=hint)
        if snapshot.callers.certificates and not self._settings.takes_certificates:
            hint = "set CLAUDE_GATEWAY_TLS_CLIENT_CA_FILE, or CLAUDE_GATEWAY_CLIENT_CERT_FORMAT for a proxy in front"
            emit(_log, "no_certificates", level=logging.WARNING, hint=hint)


def _joined(answer: CredentialReport | None, renewal: CredentialReport) -> CredentialReport:
    if answer is None:
        return renewal
    renewed = {"expires_at", "renewed_at", "failing", "failures"}
    return answer.model_copy(update={name: getattr(renewal, name) for name in renewed})
