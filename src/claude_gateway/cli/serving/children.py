"""The processes that ``serve`` starts, and their settings."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from claude_gateway.cli.addresses import Address
from claude_gateway.cli.serving.child import PREFIX, Child, environment, identity, telemetry
from claude_gateway.cli.serving.serve_options import Certificate, ServeOptions

GATEWAY: Final = "gateway"
LITELLM: Final = "litellm"
AGENT: Final = "agent"
SCRIPTED: Final = "scripted model"

# As in the image: Python's threads take turns, and a heap for each of them only leaves holes in all of them.
_ALLOCATOR: Final = {"MALLOC_ARENA_MAX": "1"}
_SHUTDOWN_VARIABLE: Final = f"{PREFIX}SHUTDOWN_SECONDS"
SHUTDOWN_SECONDS: Final = 10.0
"""How long streams may continue after Ctrl-C. It is short because a person waits for it."""


def children(chosen: ServeOptions, *, run_dir: Path, source_dir: Path) -> tuple[Child, ...]:
    """Return the processes of one proxy and the scripted model, in the order in which they must be stopped."""
    shared = {
        **_ALLOCATOR,
        **environment(os.environ),
        f"{PREFIX}RUN_DIR": str(run_dir),
        f"{PREFIX}LOG_LEVEL": chosen.level,
    }
    calling = {**shared, **identity(os.environ)}
    agent = {
        **shared,
        f"{PREFIX}SOURCE": "folder",
        f"{PREFIX}SOURCE_DIR": str(source_dir),
        f"{PREFIX}METRICS_LISTEN": str(chosen.metrics),
    }
    proxy = (
        _gateway(chosen, {**calling, **telemetry(os.environ)}),
        Child(name=LITELLM, module="claude_gateway_proxy.litellm", environment=calling),
        Child(
            name=AGENT,
            module="claude_gateway_proxy.agent",
            environment=agent,
            listens=f"{PREFIX}METRICS_LISTEN",
        ),
    )
    return (*proxy, _scripted(chosen.scripted)) if chosen.scripted else proxy


def _gateway(chosen: ServeOptions, inherited: Mapping[str, str]) -> Child:
    variables = {**inherited, f"{PREFIX}LISTEN": str(chosen.listen)}
    variables.setdefault(_SHUTDOWN_VARIABLE, str(SHUTDOWN_SECONDS))
    if chosen.certificate is not None:
        variables |= _https(chosen.certificate)
    state = chosen.logins.folder
    variables.setdefault(f"{PREFIX}SPEND_FILE", str(_spend_file(state, chosen.sources)))
    if sink := variables.get(f"{PREFIX}USAGE_SINK"):
        # One folder for each sink: events that wait for one sink must not go to another.
        spool = state / "usage" / hashlib.sha256(sink.encode()).hexdigest()[:16]
        variables.setdefault(f"{PREFIX}USAGE_SPOOL_DIR", str(spool))
    if chosen.cors_origins:
        variables[f"{PREFIX}CORS_ORIGINS"] = ",".join(chosen.cors_origins)
    if chosen.valkey is not None:
        variables[f"{PREFIX}VALKEY_ADDRESS"] = str(chosen.valkey)
    return Child(
        name=GATEWAY,
        module="claude_gateway_proxy.gateway",
        environment=variables,
        listens=f"{PREFIX}LISTEN",
        grace=_seconds(variables[_SHUTDOWN_VARIABLE]) + 5.0,
    )


def _https(certificate: Certificate) -> dict[str, str]:
    """Return the gateway's variables for HTTPS."""
    files = {"CERT": certificate.certificate, "KEY": certificate.key, "CLIENT_CA": certificate.client_ca}
    named = {f"{PREFIX}TLS_{name}_FILE": str(file) for name, file in files.items() if file is not None}
    return {f"{PREFIX}TLS_LISTEN": str(certificate.listen), **named}


def _scripted(listen: Address) -> Child:
    """Return the process of the built-in scripted model."""
    return Child(
        name=SCRIPTED,
        module="claude_gateway_scripted",
        arguments=("--listen", str(listen), "--greeting", "quickstart"),
        environment=environment(os.environ),
    )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        # The gateway itself rejects this setting with a message.
        return SHUTDOWN_SECONDS


def _spend_file(state: Path, sources: Sequence[Path]) -> Path:
    """Return the file that keeps what was spent of the budgets in these sources, from one ``serve`` to the next."""
    named = "\n".join(str(source.resolve()) for source in sources)
    return state / "spend" / f"{hashlib.sha256(named.encode()).hexdigest()[:16]}.json"
