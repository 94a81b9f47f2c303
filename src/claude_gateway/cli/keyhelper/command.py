"""``key-helper``: prints a fresh key on standard output, for the setting ``apiKeyHelper`` of Claude Code."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from claude_gateway.cli import options as shared
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import small_files
from claude_gateway.cli.keyhelper import cache, fresh, oidc, options, program, vault
from claude_gateway.cli.keyhelper.cache import Rules
from claude_gateway.cli.keyhelper.fresh import Key
from claude_gateway.cli.keyhelper.server import Server

PROJECTED: Final = Path("/var/run/secrets/claude-gateway/token")
"""Where the examples mount a projected ServiceAccount token."""

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.group("key-helper", short_help="Print a fresh key for Claude Code's apiKeyHelper.", epilog=shared.EXIT_CODES)
def key_helper() -> None:
    """Print a fresh key on standard output: the command for `apiKeyHelper` in a settings.json of Claude Code.

    Claude Code runs it at start, every five minutes (CLAUDE_CODE_API_KEY_HELPER_TTL_MS, in milliseconds), and after a
    rejected request. The first request after that time still sends the old key, so a key must work for longer than
    that. Errors go to standard error, with the fix; nothing is printed then, and the exit code is 1.

    The last key is kept in the user's cache folder, in a file that only this user may read.
    """


@key_helper.command(
    "vault",
    short_help="A secret in HashiCorp Vault or OpenBao.",
    epilog=shared.epilog(
        "claude-gateway key-helper vault claude-gateway/alice",
        "claude-gateway key-helper vault claude-gateway/ci --auth approle --role $ROLE_ID --secret-file secret-id",
        "claude-gateway key-helper vault identity/oidc/token/claude-gateway --as-is --field token",
    ),
)
@click.argument("path")
@click.option("--field", metavar="NAME", default="key", show_default=True, help="Field of the secret.")
@click.option("--mount", metavar="PATH", default="secret", show_default=True, help="Where the KV engine is mounted.")
@click.option("--as-is", is_flag=True, help="Read PATH as it is: KV version 1, database/creds/..., any other engine.")
@click.option("--vault-url", metavar="URL", envvar="VAULT_ADDR", show_envvar=True, help="Address of Vault.")
@click.option("--ca-file", metavar="FILE", type=_FILE, envvar="VAULT_CACERT", show_envvar=True, help="CA of Vault.")
@click.option("--vault-namespace", metavar="NAME", envvar="VAULT_NAMESPACE", show_envvar=True, help="Vault namespace.")
@click.option(
    "--auth",
    type=click.Choice(["token", "approle", "kubernetes", "jwt"]),
    default="token",
    show_default=True,
    help="How to log in. token: $VAULT_TOKEN, else the token file.",
)
@click.option("--auth-mount", metavar="PATH", help="Where the auth method is mounted. Default: its name.")
@click.option("--token-file", metavar="FILE", type=_FILE, help="File with a token. Default: ~/.vault-token.")
@click.option("--role", metavar="NAME", help="approle: the role id. kubernetes, jwt: the role.")
@click.option(
    "--secret-file",
    metavar="FILE",
    type=_FILE,
    help="approle: file with the secret id. kubernetes, jwt: file with the JWT. Default: the ServiceAccount token.",
)
@options.rules
def vault_(
    *,
    path: str,
    field: str,
    mount: str,
    as_is: bool,
    vault_url: str | None,
    ca_file: Path | None,
    vault_namespace: str | None,
    auth: vault.Auth,
    auth_mount: str | None,
    token_file: Path | None,
    role: str | None,
    secret_file: Path | None,
    **durations: Any,
) -> None:
    """Print a field of the secret at PATH, in a KV engine of version 2.

    A key with a lease, or a JWT with an end, is fetched again before it ends.
    """
    rules = options.chosen(**durations)
    if not vault_url:
        raise Trouble("the address of Vault is not known", fix="Set VAULT_ADDR, or pass --vault-url.")
    fix = "Check VAULT_ADDR, and VAULT_CACERT for a CA of your own."
    # Some copy the address from a request.
    server = Server("Vault", vault_url.rstrip("/").removesuffix("/v1"), fix, ca=ca_file, timeout=rules.timeout)
    wanted = vault.Wanted(path, field, None if as_is else mount)
    token = os.environ.get("VAULT_TOKEN", "").strip() or None
    login = vault.Login(auth, token, token_file, mount=auth_mount, role=role, secret_file=secret_file)
    identity = ("vault", server.url, vault_namespace, wanted.url_path, field, auth, auth_mount, role, secret_file)
    _print(lambda: vault.fetch(server, login, wanted, namespace=vault_namespace), rules, *identity, token_file)


@key_helper.command(
    "jwt",
    short_help="A token of an identity provider, or one that is signed here.",
    epilog=shared.epilog(
        "claude-gateway key-helper jwt --token-url https://idp.example.com/token --client-id ci --client-secret-file f",
        "claude-gateway key-helper jwt --token-url https://idp.example.com/token --client-id me --refresh-token-file f",
        "claude-gateway key-helper jwt --sign-with key.pem --issuer https://ci.example.com --subject ci --audience cgw",
    ),
)
@click.option("--token-url", metavar="URL", help="The provider's token endpoint.")
@click.option("--client-id", metavar="ID", help="The client at the provider.")
@click.option("--client-secret-file", metavar="FILE", type=_FILE, help="File with the client's secret.")
@click.option(
    "--client-auth",
    type=click.Choice(["basic", "post"]),
    default="basic",
    show_default=True,
    help="How the secret is sent: in the Authorization header, or in the form.",
)
@click.option(
    "--refresh-token-file",
    metavar="FILE",
    type=_FILE,
    help="File with a refresh token, used in place of client credentials; a new one is written back to it.",
)
@click.option("--scope", metavar="SCOPES", help="Scopes, with spaces between them.")
@click.option(
    "--use",
    type=click.Choice(["access_token", "id_token"]),
    default="access_token",
    show_default=True,
    help="Which token of the answer to print.",
)
@click.option("--ca-file", metavar="FILE", type=_FILE, help="CA of the provider.")
@click.option("--sign-with", metavar="FILE", type=_FILE, help="Sign a token here, with this private key (PEM).")
@click.option(
    "--algorithm",
    type=click.Choice(["RS256", "ES256", "EdDSA", "HS256"]),
    default="RS256",
    show_default=True,
    help="How to sign.",
)
@click.option("--key-id", metavar="KID", help="`kid` of the signing key.")
@click.option("--issuer", metavar="URL", help="`iss` of a token that is signed here.")
@click.option("--subject", metavar="NAME", help="`sub` of a token that is signed here.")
@click.option("--audience", metavar="NAME", help="`aud` of a token that is signed here; else what to ask for.")
@click.option("--claim", "claims", metavar="NAME=VALUE", multiple=True, help="One more claim. Repeatable.")
@click.option("--lifetime", metavar="DURATION", type=options.DURATIONS, default="15m", help="Its life. Default: 15m.")
@options.rules
def jwt_(
    *,
    token_url: str | None,
    client_id: str | None,
    client_secret_file: Path | None,
    client_auth: oidc.Sent,
    refresh_token_file: Path | None,
    scope: str | None,
    use: oidc.Use,
    ca_file: Path | None,
    sign_with: Path | None,
    algorithm: str,
    key_id: str | None,
    issuer: str | None,
    subject: str | None,
    audience: str | None,
    claims: tuple[str, ...],
    lifetime: float,
    **durations: Any,
) -> None:
    """Print a JWT: from a token endpoint, with client credentials or a refresh token, or signed with a key of yours."""
    rules = options.chosen(**durations)
    if (sign_with is None) == (token_url is None):
        raise click.UsageError("use either --token-url or --sign-with")
    if sign_with is not None:
        if not (issuer and subject and audience):
            raise click.UsageError("--sign-with needs --issuer, --subject and --audience")
        said = oidc.Claims(issuer, subject, audience, lifetime, _claims(claims))
        identity = ("jwt", sign_with.absolute(), algorithm, key_id, oidc.shown(said))
        signing = sign_with
        _print(lambda: oidc.sign(signing, said, algorithm=algorithm, key_id=key_id), rules, *identity)
        return
    if not client_id:
        raise click.UsageError("--token-url needs --client-id")
    server = Server("the token endpoint", token_url or "", "Check --token-url and --ca-file.", ca_file, rules.timeout)
    grant = oidc.Grant(client_id, client_secret_file, refresh_token_file, scope, audience, use=use, sent=client_auth)
    _print(lambda: oidc.ask(server, grant), rules, "jwt", server.url, grant)


@key_helper.command(
    "serviceaccount",
    short_help="The token of a Kubernetes ServiceAccount.",
    epilog=shared.epilog(
        "claude-gateway key-helper serviceaccount                      # in a pod: the projected token",
        "claude-gateway key-helper serviceaccount --name ci --namespace team-a --audience claude-gateway",
    ),
)
@click.option(
    "--token-file", metavar="FILE", type=_FILE, help=f"Projected token, without --name. Default: {PROJECTED}."
)
@click.option("--name", metavar="NAME", help="Ask the cluster of your kubeconfig for a token of this ServiceAccount.")
@click.option("--namespace", metavar="NAME", help="Its namespace. Default: that of the kubeconfig's context.")
@click.option("--context", metavar="NAME", help="Context of the kubeconfig. Default: the current one.")
@click.option("--audience", metavar="NAME", help="Audience of the token, as the GatewayClient names it.")
@click.option("--lifetime", metavar="DURATION", type=options.DURATIONS, default="1h", help="Its life. Default: 1h.")
@options.rules
def serviceaccount(
    *,
    token_file: Path | None,
    name: str | None,
    namespace: str | None,
    context: str | None,
    audience: str | None,
    lifetime: float,
    **durations: Any,
) -> None:
    """Print a ServiceAccount's token: the projected one of this pod, or with --name a new one, through kubectl."""
    rules = options.chosen(**durations)
    if name is None:
        fix = "Mount a projected ServiceAccount token there, name its file with --token-file, or use --name."
        text = small_files.read(token_file or PROJECTED, what="the ServiceAccount token", fix=fix)
        # Kubernetes replaces the file in time; a cached copy would only be older.
        _say(cache.checked(fresh.made(text, now=time.time(), source="the ServiceAccount token"), rules))
        return
    if token_file is not None:
        raise click.UsageError("use either --token-file or --name")
    words = ["kubectl", "create", "token", name, f"--duration={int(lifetime)}s"]
    words += [f"--{flag}={value}" for flag, value in _given(namespace=namespace, context=context, audience=audience)]

    def fetch() -> Key:
        fix = "Install kubectl, or mount a projected token and use --token-file."
        return fresh.made(
            program.output(words, timeout=rules.timeout, missing=fix), now=time.time(), source="the token of kubectl"
        )

    _print(fetch, rules, "serviceaccount", os.environ.get("KUBECONFIG"), *words)


@key_helper.command(
    "exec",
    short_help="What another program prints.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=shared.epilog(
        "claude-gateway key-helper exec -- cat /run/keys/claude-gateway",
        "claude-gateway key-helper exec --timeout 5s -- op read op://team/claude-gateway/key",
    ),
)
@options.rules
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def exec_(*, command: tuple[str, ...], **durations: Any) -> None:
    """Print what a program prints: a password manager, a company's own tool, `cat` of a file that is rotated."""
    rules = options.chosen(**durations)

    def fetch() -> Key:
        text = program.output(command, timeout=rules.timeout, missing="Give its full path after --.")
        return fresh.made(text, now=time.time(), source="the output of the program")

    _print(fetch, rules, "exec", Path.cwd(), *command)


def _print(fetch: Callable[[], Key], rules: Rules, *identity: object) -> None:
    """Print a key, from the cache where it may be shared; ``identity`` is what makes one way to get it different."""
    _say(cache.current(cache.place(cache.folder(os.environ), *identity), fetch, rules=rules))


def _say(printed: cache.Printed) -> None:
    if printed.note:
        click.echo(f"claude-gateway: {printed.note}", err=True)
    click.echo(printed.key.value)


def _given(**flags: str | None) -> list[tuple[str, str]]:
    return [(name, value) for name, value in flags.items() if value is not None]


def _claims(claims: tuple[str, ...]) -> dict[str, str]:
    try:
        return dict(oidc.claim(text) for text in claims)
    except ValueError:
        raise click.BadParameter("write NAME=VALUE", param_hint="--claim") from None
