"""The startup message of ``serve``: addresses, routes, clients and how to use them. Never a key."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from claude_gateway.cli import samples
from claude_gateway.cli.files import config
from claude_gateway.cli.files.findings import plural
from claude_gateway.cli.files.manifests import Document
from claude_gateway.cli.keys import client_key
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.target import Format, Target
from claude_gateway.names import Kind

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Served:
    """The content of the startup message. ``url``, ``tls_url`` and ``metrics`` are URLs."""

    url: str
    tls_url: str | None
    metrics: str
    revision: str
    policy: Policy
    documents: tuple[Document, ...]
    sources: tuple[Path, ...]
    scripted_url: str | None
    sign_in: tuple[str, Path] | None = None
    """The URL of the sign-in page and the file with its key, if it runs."""
    env_file: Path | None = None
    """The file of variables that keys may come from."""


def lines(served: Served) -> str:
    """Format the startup message."""
    where = ", ".join(map(str, served.sources))
    head = [
        f"claude-gateway {version('claude-gateway')}",
        "",
        f"  gateway   {served.url}" + (f", {served.tls_url}" if served.tls_url else ""),
        f"  metrics   {served.metrics}/metrics, live revision: {served.metrics}/status",
        f"  config    {where}: revision {served.revision[:8]}; edits are live as soon as a file is saved",
        *_sign_in(served),
        "",
    ]
    parts = [*head, *_routes(served), "", *_clients(served.policy), ""]
    parts += _use(served) if served.policy.clients else _no_client(served.sources)
    return "\n".join(parts)


def summary(policy: Policy) -> str:
    """Summarize a policy, such as ``12 routes, 3 clients``."""
    return f"{plural(len(policy.routes), 'route')}, {plural(len(policy.clients), 'client')}"


def _sign_in(served: Served) -> list[str]:
    if served.sign_in is None:
        return []
    url, key_file = served.sign_in
    return [f"  sign in   {url}/auth, key in {key_file}; or in a terminal: {program()} login"]


def _routes(served: Served) -> list[str]:
    routes = served.policy.routes
    if not routes:
        return ["  no routes: every model name is unknown; add a ModelRoute"]
    width = min(max(len(route.name) for route in routes), _SHOWN)
    rows = [
        f"    {name:<{width}}  {what} → {_targets(targets, served)}"
        for route in routes
        for name, what, targets in (
            (route.name, ", ".join(route.models), route.targets),
            *(("", f"  rule {rule.name}", rule.targets) for rule in route.rules),
        )
    ]
    hidden = [f"    … and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
    return ["  routes", *rows[:_SHOWN], *hidden]


def _targets(targets: Sequence[Target], served: Served) -> str:
    if not targets:
        return "NO USABLE TARGET: see the problems above"
    ordered = sorted(targets, key=lambda target: target.priority)
    text = ""
    for before, target in zip([None, *ordered[:-1]], ordered, strict=True):
        if before is not None:
            text += " or " if before.priority == target.priority else ", else "
        text += _target(target, served)
    return text


def _target(target: Target, served: Served) -> str:
    name = f"{target.provider}/{target.model}"
    if served.scripted_url and target.base_url and target.base_url.startswith(served.scripted_url):
        return f"{name} (scripted model)"
    address = f" at {target.base_url}" if target.base_url else ""
    return f"{name}{address}{'' if target.secret else ' without a key'}"


def _clients(policy: Policy) -> list[str]:
    if not policy.clients:
        return ["  NO CLIENT KEY: every request will be rejected."]
    width = min(max(len(client.name) for client in policy.clients), _SHOWN)
    rows = [
        f"    {client.name:<{width}}  {'all models' if '*' in client.models else ', '.join(client.models)}"
        for client in policy.clients
    ]
    hidden = [f"    … and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
    return ["  clients", *rows[:_SHOWN], *hidden]


def _no_client(sources: Sequence[Path]) -> list[str]:
    folder = next((source for source in sources if source.is_dir()), sources[0].parent)
    return [
        "  Create a key; it is live at once:",
        f"    {program()} key new {_user()} --dir {shlex.quote(str(folder))}",
    ]


def _use(served: Served) -> list[str]:
    arguments = key_arguments(served)
    routes = served.policy.routes
    if routes and all(samples.takes_own_login(route) for route in routes):
        return [
            "  try it in another terminal, with the login that Claude Code already has",
            f'    eval "$({program()} env claude {arguments})"',
            '    export ANTHROPIC_CUSTOM_HEADERS="x-gateway-key: $ANTHROPIC_AUTH_TOKEN"; unset ANTHROPIC_AUTH_TOKEN',
            "    claude -p Hello",
            "",
        ]
    name, gpt = _sample(served.policy, Format.MESSAGES), _sample(served.policy, Format.CHAT)
    scripted = served.scripted_url is not None
    note = [
        "  The answers are SCRIPTED, not from an AI model. Set ANTHROPIC_API_KEY or OPENAI_API_KEY for real ones.",
        "",
    ]
    python = _python()
    message = f'{{"model": "{name}", "max_tokens": 100, "messages": [{{"role": "user", "content": "Hello"}}]}}'
    ask = f'OpenAI().responses.create(model="{gpt}", input="Hello").output_text'
    return [
        *(note if scripted else []),
        "  try it in another terminal",
        f'    eval "$({program()} env {arguments})"',
        '    curl "$ANTHROPIC_BASE_URL/v1/messages" -H "authorization: Bearer $ANTHROPIC_AUTH_TOKEN" \\',
        f"      -H 'content-type: application/json' -d {shlex.quote(message)}",
        f"    {python} -c {shlex.quote(f'from openai import OpenAI; print({ask})')}",
        f"    {program()} run {arguments} -- claude -p Hello",
        "",
    ]


def key_arguments(served: Served) -> str:
    """Return the options with which ``env`` and ``run`` find a client's key and this gateway."""
    clients = [document for document in served.documents if config.ref(document.manifest).kind == Kind.GATEWAY_CLIENT]
    if clients and not any(map(client_key.has_keys, clients)):
        return shlex.join(["--key-file", "TOKEN_FILE", "--url", served.url])
    homes = {document.path for document in clients}
    used = [source for source in served.sources if any(source in (home, home.parent) for home in homes)]
    parts = [part for source in used or served.sources for part in ("-f", str(source))]
    if served.env_file is not None:
        parts += ["--env-file", str(served.env_file)]
    if len(clients) > 1:
        owner = config.ref(next(filter(client_key.has_keys, clients), clients[0]).manifest)
        parts += ["--client", f"{owner.namespace}/{owner.name}"]
    if served.url != "http://127.0.0.1:4000":
        parts += ["--url", served.url]
    return shlex.join(parts)


def program() -> str:
    """Return the shell command that starts this program from the current folder."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(_near(Path(sys.executable)))} -m claude_gateway.cli"
    found = shutil.which(called.name)
    if found and Path(found).samefile(called):
        return called.name
    return shlex.quote(_near(called))


def _python() -> str:
    """Return this interpreter in a development environment, whose packages include the SDKs; else ``python``."""
    beside = Path(sys.executable)
    return shlex.quote(_near(beside)) if beside.parent == Path(sys.argv[0]).absolute().parent else "python"


def _near(path: Path) -> str:
    absolute = path.absolute()
    return os.path.relpath(absolute) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def _sample(policy: Policy, preferred: Format) -> str:
    """Return a model name for an example, of a route that answers to a gateway key alone.

    A route whose targets support the format natively comes first.
    """
    client = policy.clients[0]
    routes = samples.routes_for(policy, client)
    served = samples.Served(routes)
    usable = [route for route in routes if not samples.takes_own_login(route)]
    for route in sorted(usable, key=lambda route: not any(preferred in t.formats for t in route.targets)):
        name = samples.name_for(route, served, client=client)
        if name:
            return name
    return "MODEL"


def _user() -> str:
    name = os.environ.get("USER", "").lower()
    return name if name.isascii() and name.isalnum() else "me"
