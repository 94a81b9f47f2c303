"""The metrics of states, read at each scrape: ejections, credentials, budgets, usage events, Valkey."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from claude_gateway import metric_names
from claude_gateway.contract.login import Outcome
from claude_gateway.contract.money import NANODOLLARS
from claude_gateway.contract.report import CredentialReport, EjectedTarget
from claude_gateway_proxy.gateway.telemetry.families import Families


class UsageState(NamedTuple):
    """The results of usage events so far, and the bytes of those on disk."""

    delivered: int = 0
    dropped: int = 0
    waiting: int = 0


class States:
    """Calls the functions passed to its ``watch`` methods at each scrape."""

    def __init__(self, families: Families) -> None:
        """Define the metrics."""
        gauge = families.gauge
        self._ejections: Callable[[], Iterable[EjectedTarget]] = tuple
        self._ejected = gauge(metric_names.TARGETS_EJECTED, "Targets ejected after failures, tried last")
        self._until = gauge(
            metric_names.EJECTED_UNTIL,
            "Unix time until which a target is ejected, and the kind of its last failure",
            *("target", "reason"),
        )
        self._budgets: Callable[[], Iterable[tuple[str, int, int]]] = tuple
        self._spent = gauge(
            metric_names.BUDGET_SPENT, "Spend of a budget in its current period, by all pods as far as known", "budget"
        )
        self._amount = gauge(metric_names.BUDGET_LIMIT, "The amount of a budget", "budget")
        self._credentials: Callable[[], Iterable[CredentialReport]] = tuple
        self._valid = gauge(
            metric_names.CREDENTIAL_VALID,
            "Whether the upstream accepted the credential when it was last used",
            "credential",
        )
        self._expiry = gauge(
            metric_names.CREDENTIAL_EXPIRY, "Unix time when the access token of the credential ends", "credential"
        )
        self._refreshes = families.counter(
            metric_names.CREDENTIAL_FAILURES, "Renewals of the credential's access token that failed", "credential"
        )
        self._counted: dict[str, int] = {}
        self._usage: Callable[[], UsageState] = UsageState
        self._shown = UsageState()
        self._usage_events = families.counter(
            metric_names.USAGE_EVENTS,
            "Usage events, by result: delivered, or dropped because the spool was full",
            "result",
        )
        self._usage_bytes = gauge(metric_names.USAGE_BYTES, "Bytes of the usage events that are on disk")
        self._valkey = gauge(
            metric_names.VALKEY_UP,
            "Whether the Valkey that counts for all pods answered the last call",
            "address",
        )
        self._queued = gauge(metric_names.QUEUED, "Requests that wait for a limit")

    def watch_budgets(self, budgets: Callable[[], Iterable[tuple[str, int, int]]]) -> None:
        """Read each budget's name, its spend and its amount, in nanodollars, from ``budgets``."""
        self._budgets = budgets

    def watch_credentials(self, credentials: Callable[[], Iterable[CredentialReport]]) -> None:
        """Read the state of the gateway's credentials from ``credentials``."""
        self._credentials = credentials

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Read the number of requests that wait for a limit from ``waiting``."""
        self._queued.set_function(waiting)

    def watch_targets(self, ejections: Callable[[], Iterable[EjectedTarget]]) -> None:
        """Read the ejected targets from ``ejections``."""
        self._ejections = ejections

    def watch_usage(self, usage: Callable[[], UsageState]) -> None:
        """Read the results of usage events from ``usage``."""
        self._usage = usage

    def watch_valkey(self, address: str, available: Callable[[], bool]) -> None:
        """Read from ``available`` whether the Valkey at ``address`` answers."""
        self._valkey.labels(address).set_function(available)

    def show(self) -> None:
        """Update all gauges."""
        self._show_credentials()
        self._show_ejections()
        self._show_budgets()
        self._show_usage()

    def _show_usage(self) -> None:
        found, shown = self._usage(), self._shown
        self._usage_events.of("delivered").inc(found.delivered - shown.delivered)
        self._usage_events.of("dropped").inc(found.dropped - shown.dropped)
        self._usage_bytes.set(found.waiting)
        self._shown = found

    def _show_ejections(self) -> None:
        """Set the gauges of ejected targets; of several models of one target, the one that is ejected longest counts.

        The id is shown without the hash of its content, so that a series continues when the target is edited.
        """
        latest = {
            each.target.rpartition(".")[0]: each for each in sorted(self._ejections(), key=lambda each: each.until)
        }
        self._ejected.set(len(latest))
        self._until.clear()
        for target, each in latest.items():
            self._until.labels(target, each.reason).set(each.until)

    def _show_budgets(self) -> None:
        """Set the gauges of the budgets that exist."""
        self._spent.clear()
        self._amount.clear()
        for budget, spent, limit in self._budgets():
            self._spent.labels(budget).set(spent / NANODOLLARS)
            self._amount.labels(budget).set(limit / NANODOLLARS)

    def _show_credentials(self) -> None:
        """Set the gauges of the credentials; of two under one name, the one that was updated last counts."""
        self._valid.clear()
        self._expiry.clear()
        for report in sorted(self._credentials(), key=lambda report: report.at):
            name = report.credential.rpartition(".")[0]
            if report.outcome in (Outcome.OK, Outcome.REJECTED):
                self._valid.labels(name).set(report.outcome is Outcome.OK)
            if report.expires_at is not None:
                self._expiry.labels(name).set(report.expires_at)
            more = report.failures - self._counted.get(report.credential, 0)
            self._counted[report.credential] = report.failures
            self._refreshes.of(name).inc(max(0, more))
