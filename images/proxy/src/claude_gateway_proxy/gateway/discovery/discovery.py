"""Answers requests that are not for a model: liveness, models, profiles, usage, sign-in, released sessions."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.costs.usage import BudgetsOf, Find, no_budgets
from claude_gateway_proxy.gateway.discovery.info import answer_get
from claude_gateway_proxy.gateway.discovery.managed import PATH as MANAGED_PATH
from claude_gateway_proxy.gateway.discovery.managed import answer_settings
from claude_gateway_proxy.gateway.discovery.profiles import answer_profiles
from claude_gateway_proxy.gateway.discovery.sessions import Release, answer_release, released_session
from claude_gateway_proxy.gateway.discovery.sign_in import PATHS as SIGN_IN_PATHS
from claude_gateway_proxy.gateway.discovery.sign_in import SignIn
from claude_gateway_proxy.gateway.discovery.usage import PATHS as USAGE_PATHS
from claude_gateway_proxy.gateway.discovery.usage import answer_usage
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.wire.paths import plain_path, profile
from claude_gateway_runtime.asgi import Receive, Scope, Send


class Discovery:
    """Serves everything except model requests."""

    def __init__(
        self,
        *,
        issuers: Issuers,
        worker_started: Callable[[], Awaitable[bool]],
        find: Find,
        verify_signatures: bool = True,
        sign_in: SignIn | None = None,
        release: Release = lambda _principal, _session: False,
        budgets: BudgetsOf = no_budgets,
    ) -> None:
        """Authenticate callers with ``issuers``.

        ``worker_started`` is called for readiness if a target needs the LiteLLM worker. ``sign_in``: people sign in
        here, too. ``release`` releases a stopped session. ``find`` returns what callers used, and ``budgets`` the usage
        of their budgets.
        """
        self._issuers = issuers
        self._worker_started = worker_started
        self._find = find
        self._verify_signatures = verify_signatures
        self._sign_in = sign_in
        self._release = release
        self._budgets = budgets

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, *, snapshot: Snapshot | None, draining: bool
    ) -> None:
        """Answer a request from ``snapshot``, including requests for paths that are not served."""
        issuers = self._issuers
        wanted = profile(scope["raw_path"])
        if wanted is not None and snapshot is not None:
            await answer_profiles(
                scope, send, snapshot=snapshot, issuers=issuers, wanted=wanted, verify=self._verify_signatures
            )
            return
        if (session := released_session(scope["raw_path"])) is not None:
            await answer_release(
                scope, send, snapshot=snapshot, issuers=issuers, session=session, release=self._release
            )
            return
        plain = {**scope, "path": plain_path(scope["path"])}
        match plain["path"]:
            case path if path in SIGN_IN_PATHS and self._sign_in is not None:
                await self._sign_in.answer(plain, receive, send)
            case path if path in USAGE_PATHS:
                await answer_usage(
                    plain,
                    send,
                    snapshot=snapshot,
                    issuers=issuers,
                    find=self._find,
                    budgets=self._budgets,
                    now=datetime.now(UTC),
                )
            case path if path == MANAGED_PATH:
                await answer_settings(plain, send, snapshot=snapshot, issuers=issuers)
            case _:
                await answer_get(
                    plain,
                    send,
                    snapshot=snapshot,
                    issuers=issuers,
                    draining=draining,
                    worker_started=self._worker_started,
                )
