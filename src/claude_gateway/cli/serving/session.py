"""One run of ``serve``: does the operator's work, and keeps the processes of one proxy running."""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from claude_gateway.cli import addresses, options
from claude_gateway.cli.errors import Exit, Trouble
from claude_gateway.cli.files import file_changes, manifests, run_folder
from claude_gateway.cli.files.run_folder import Serving
from claude_gateway.cli.remote import live
from claude_gateway.cli.serving import children, config_state, ownlogins, present
from claude_gateway.cli.serving.child import Child
from claude_gateway.cli.serving.config_state import LastValid, LoadResult
from claude_gateway.cli.serving.console import Console
from claude_gateway.cli.serving.serve_options import ServeOptions
from claude_gateway.cli.serving.supervisor import ChildFailedError, Supervisor
from claude_gateway.cli.serving.welcome import welcome
from claude_gateway.cli.spending.dayfiles import FOLDER, DayFiles
from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle, BundleError
from claude_gateway.contract.report import PodReport
from claude_gateway.names import GATEWAY_SOCKET

_SOURCE: Final = "source"
_RUN: Final = "run"
_LIVE_SECONDS: Final = 15.0


class ServeSession:
    """One run of ``serve`` from start to end; also listens to the child processes."""

    def __init__(self, chosen: ServeOptions, console: Console) -> None:
        self._options = chosen
        self._console = console
        self._stop = asyncio.Event()
        self._signal: signal.Signals | None = None
        self._supervisor: Supervisor | None = None
        self._backend_key = secrets.token_urlsafe(32)
        self._signing_in = False
        """Whether backend and sign-in page run."""
        self._usage: DayFiles | None = DayFiles(chosen.logins.folder / FOLDER)

    async def run(self) -> Exit:
        """Serve until a signal; returns the exit code. Raises Trouble if it cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup SIGHUP is ignored and must stay so.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._signalled, number)
        since = file_changes.stamp(self._options.sources, self._others())
        loaded = self._load(LastValid())
        bundle = self._first_bundle(loaded)
        with run_folder.private() as home:
            (home / _RUN).mkdir(mode=0o700)
            revision = folder.write(home / _SOURCE, bundle)
            proxy = children.children(self._options, run_dir=home / _RUN, source_dir=home / _SOURCE)
            self._supervisor = Supervisor((*proxy, *self._login_children(home, loaded)), self)
            try:
                await self._serve(home, self._supervisor, loaded, revision=revision, since=since)
            except ChildFailedError as error:
                raise Trouble(str(error), fix="See its output above for the reason.") from None
            finally:
                await self._supervisor.stop()
                if self._usage is not None:
                    self._usage.close()
        if self._signal is not None:
            self._console.say("stopped", event="stopped")
        return Exit.INTERRUPTED if self._signal is signal.SIGINT else Exit.OK

    async def _serve(
        self, home: Path, supervisor: Supervisor, loaded: LoadResult, *, revision: str, since: file_changes.Stamp
    ) -> None:
        starting = asyncio.create_task(supervisor.start())
        if not await self._unless_stopped(starting):
            return
        found = starting.result()
        gateway = _url(found[children.GATEWAY])
        agent = _url(found[children.AGENT])
        self._announce(home, gateway=gateway, agent=agent)
        waiting = asyncio.create_task(live.until_live(agent, revision, seconds=_LIVE_SECONDS))
        if not await self._unless_stopped(waiting):
            return
        welcome(
            self._console,
            self._options,
            loaded,
            gateway=gateway,
            agent=agent,
            revision=revision,
            signing_in=self._signing_in,
        )
        self._check_live(waiting.result(), revision)
        await self._follow(home, loaded.last, gateway=gateway, agent=agent, revision=revision, since=since)

    def _announce(self, home: Path, *, gateway: str, agent: str) -> None:
        logins = self._options.logins
        serving = Serving(pid=os.getpid(), gateway=gateway, agent=agent, socket=str(home / _RUN / GATEWAY_SOCKET))
        if self._signing_in:
            serving = replace(serving, auth=logins.url, auth_key_file=str(logins.key_file))
        run_folder.announce(home, serving)

    async def _follow(
        self, home: Path, last: LastValid, *, gateway: str, agent: str, revision: str, since: file_changes.Stamp
    ) -> None:
        """Apply every change of the files, until stopped."""
        folders = (self._options.logins.folder,) if self._signing_in else ()
        async for _ in file_changes.changes(
            self._options.sources, self._others, folders=folders, since=since, stop=self._stop
        ):
            started = time.monotonic()
            try:
                loaded = await asyncio.to_thread(self._load, last)
            except Trouble as trouble:
                self._console.warn(f"{trouble.message}. {trouble.fix}", event="config_refused")
                continue
            last = loaded.last
            await self._begin_signing_in(home, loaded, gateway=gateway, agent=agent)
            revision = await self._apply(loaded, home, agent=agent, before=revision, started=started)

    async def _begin_signing_in(self, home: Path, loaded: LoadResult, *, gateway: str, agent: str) -> None:
        """Tell the page the credentials; start it and the backend with the first that has a subscription."""
        running = self._signing_in
        try:
            added = self._login_children(home, loaded)
            if added and not running and self._supervisor is not None:
                await self._unless_stopped(asyncio.create_task(self._supervisor.add(added)))
                self._announce(home, gateway=gateway, agent=agent)
                url, key_file = self._options.logins.url, self._options.logins.key_file
                self._console.say(f"sign in at {url}/auth, key in {key_file}", event="sign_in", url=url)
        except Trouble as trouble:
            self._console.warn(f"{trouble.message}. {trouble.fix}", event="sign_in_refused")

    def _login_children(self, home: Path, loaded: LoadResult) -> Sequence[Child]:
        """Return the processes for subscriptions, if there are any and they do not run yet. Raises Trouble."""
        documents = loaded.decision.gathered.documents
        if not ownlogins.listed(documents) and not self._signing_in:
            return ()
        ownlogins.tell(home, documents)
        if self._signing_in:
            return ()
        if not ownlogins.installed():
            raise Trouble(
                "credentials with a `subscription` need more packages", fix="pip install 'claude-gateway[serve]'"
            )
        logins = self._options.logins
        addresses.require_free(logins.page, option="--auth-listen")
        logins.prepare()
        self._signing_in = True
        return logins.children(home, self._backend_key, level=self._options.level)

    async def _apply(self, loaded: LoadResult, home: Path, *, agent: str, before: str, started: float) -> str:
        """Make a loaded configuration live; returns the revision that is wanted now."""
        self._console.findings(loaded.decision.findings)
        for ref in loaded.kept:
            self._console.warn(f"{ref} keeps its version from before the edit", event="kept", object=str(ref))
        for path in loaded.kept_files:
            self._console.warn(f"{path} keeps its content from before the edit", event="kept", file=str(path))
        revision = await self._write(home, loaded.plan.bundle)
        if revision is None:
            self._console.warn(f"still live: revision {before[:8]}", event="config_kept", revision=before)
            return before
        if revision == before:
            self._console.say(f"no change: revision {before[:8]} stays live", event="config_same", revision=before)
            return before
        waiting = asyncio.create_task(live.until_live(agent, revision, seconds=_LIVE_SECONDS))
        if await self._unless_stopped(waiting) and self._check_live(waiting.result(), revision):
            took = time.monotonic() - started
            self._console.say(
                f"config live: revision {revision[:8]} ({present.summary(loaded.plan.policy)}) in {took:.1f} s",
                event="config_live",
                revision=revision,
                seconds=round(took, 3),
            )
        return revision

    async def _write(self, home: Path, bundle: Bundle) -> str | None:
        try:
            return await asyncio.to_thread(folder.write, home / _SOURCE, bundle)
        except (BundleError, OSError) as error:
            self._console.warn(f"the configuration cannot be written: {error}", event="config_refused")
            return None

    def _check_live(self, report: PodReport | None, revision: str) -> bool:
        """Return whether a revision is live; print a warning if not."""
        if report is not None and report.live == revision:
            return True
        refused = live.refusal(report, revision) if report else "the agent does not answer"
        why = refused or "gateway and litellm have not both loaded it yet"
        self._console.warn(f"revision {revision[:8]} is not live: {why}", event="config_not_live", revision=revision)
        return False

    def _first_bundle(self, loaded: LoadResult) -> Bundle:
        """Return the bundle to start with. Raises Trouble if the files give none, as there is no earlier valid one."""
        unreadable = [finding for finding in loaded.decision.findings if finding.object is None and finding.is_error]
        if unreadable:
            self._console.findings(unreadable)
            raise Trouble("nothing is served: a file cannot be read", fix="Fix it, and start again.")
        if not loaded.decision.gathered.files:
            where = ", ".join(map(str, self._options.sources))
            raise Trouble(f"no YAML or JSON files in {where}", fix=manifests.WANTED)
        return loaded.plan.bundle

    def _others(self) -> tuple[Path, ...]:
        """The files besides the sources that matter: the variables, and the Secrets with logins."""
        env_file = (self._options.env_file,) if self._options.env_file else ()
        return (*env_file, *self._options.logins.files)

    def _load(self, last: LastValid) -> LoadResult:
        chosen = self._options
        rules = chosen.logins.rules(chosen.rules, self._backend_key)
        variables = options.variables(chosen.env_file)
        # Without a subscription, no logins are read.
        loaded = config_state.load(chosen.sources, variables, last, rules=rules)
        if not ownlogins.listed(loaded.decision.gathered.documents) or not chosen.logins.files:
            return loaded
        return config_state.load((*chosen.sources, *chosen.logins.files), variables, last, rules=rules)

    async def _unless_stopped(self, task: asyncio.Task[object]) -> bool:
        """Wait for a task; the signal to stop cancels it. Returns whether the task completed."""
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return False

    def _signalled(self, number: signal.Signals) -> None:
        if self._signal is not None and self._supervisor is not None:
            self._supervisor.kill()
            return
        self._signal = number
        self._console.say(
            "stopping after running responses complete; press Ctrl-C again to stop at once", event="stopping"
        )
        self._stop.set()

    def line(self, child: str, text: str) -> None:
        """Print a child's log line, and keep it where it says what a request cost."""
        self._console.line(child, text)
        if child == children.GATEWAY and self._usage is not None:
            try:
                self._usage.note(text)
            except OSError as error:
                self._usage = None
                self._console.warn(f"`spend` will miss the rest: {error}", event="usage_not_kept")

    def died(self, child: str, how: str, wait: float) -> None:
        """Report that a child ended."""
        self._console.warn(f"{child} {how}; restarting it in {wait:g} s", event="child_died", child=child)

    def restarted(self, child: str, pid: int) -> None:
        """Report that a child runs again."""
        self._console.say(f"{child} is running again (pid {pid})", event="child_restarted", child=child, pid=pid)


def _url(address: str) -> str:
    return f"http://{addresses.parse(address).local}"
