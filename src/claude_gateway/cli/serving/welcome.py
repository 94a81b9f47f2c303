"""What ``serve`` prints once it is ready: the startup message, and warnings about open addresses."""

from claude_gateway.cli.serving import present
from claude_gateway.cli.serving.config_state import LoadResult
from claude_gateway.cli.serving.console import Console
from claude_gateway.cli.serving.present import Served
from claude_gateway.cli.serving.serve_options import ServeOptions


def welcome(
    console: Console,
    chosen: ServeOptions,
    loaded: LoadResult,
    *,
    gateway: str,
    agent: str,
    revision: str,
    signing_in: bool,
) -> None:
    """Print the findings, the startup message and its warnings; ``gateway`` and ``agent`` are URLs."""
    console.findings(loaded.decision.findings)
    tls = chosen.certificate
    served = Served(
        url=gateway,
        tls_url=f"https://{tls.listen.local}" if tls else None,
        metrics=agent,
        revision=revision,
        policy=loaded.plan.policy,
        documents=loaded.decision.gathered.documents,
        sources=chosen.sources,
        scripted_url=f"http://{chosen.scripted.local}" if chosen.scripted else None,
        sign_in=(chosen.logins.url, chosen.logins.key_file) if signing_in else None,
        env_file=chosen.env_file,
    )
    console.block(present.lines(served))
    if not chosen.listen.is_loopback and tls is None:
        console.warn(
            f"{chosen.listen} is open to the network without TLS: client keys are sent unencrypted, see --tls-cert",
            event="no_tls",
        )
    if signing_in and not chosen.logins.page.is_loopback:
        console.warn(
            f"{chosen.logins.page} is open to the network without TLS: the key of the sign-in page is sent "
            "unencrypted, put a server with TLS in front of it",
            event="no_tls",
        )
    console.say(
        f"ready: {present.summary(loaded.plan.policy)}, revision {revision[:8]}",
        event="ready",
        gateway=gateway,
        metrics=agent,
        sign_in=chosen.logins.url if signing_in else None,
        revision=revision,
    )
