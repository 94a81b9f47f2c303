"""``docs/reference/settings.md``: the environment variables of the processes, from their settings classes."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings
from tools.reference.markdown import block, code, page, table

from claude_gateway_auth.settings import Settings as AuthSettings
from claude_gateway_claude_code.settings import Settings as BackendSettings
from claude_gateway_operator.settings import Settings as OperatorSettings
from claude_gateway_proxy.agent.settings import Settings as AgentSettings
from claude_gateway_proxy.gateway.settings import Settings as GatewaySettings
from claude_gateway_proxy.litellm.settings import Settings as LiteLLMSettings

PROCESSES: Final[tuple[tuple[str, type[BaseSettings], str], ...]] = (
    ("claude_gateway_proxy.gateway", GatewaySettings, "Answers the clients."),
    ("claude_gateway_proxy.litellm", LiteLLMSettings, "Answers what needs translation, with LiteLLM as a library."),
    (
        "claude_gateway_proxy.agent",
        AgentSettings,
        "Brings new configuration to the two others and serves the metrics of the pod.",
    ),
    (
        "claude_gateway_claude_code",
        BackendSettings,
        "Answers requests with Claude Code, for the gateway and for named callers.",
    ),
    ("claude_gateway_operator", OperatorSettings, "In a cluster: decides on all objects and tells how they stand."),
    (
        "claude_gateway_auth",
        AuthSettings,
        "Lets people sign in to their subscriptions, and is the one writer of logins.",
    ),
)
INTRO: Final = """\
Each process reads its settings once at start, from environment variables. `claude-gateway serve` and the chart set them
for the processes that they start. Routes, keys and clients are not settings: they are objects that may change at any
time, see [ModelRoute, ClaudeCredential, GatewayClient](crds.md)."""

_BOUNDS: Final = ((Ge, "ge", "at least"), (Gt, "gt", "above"), (Le, "le", "at most"), (Lt, "lt", "below"))


def render() -> str:
    """The whole page."""
    parts = [part for module, settings, job in PROCESSES for part in _process(module, settings, job)]
    return page("Settings of the processes", INTRO, parts, source="the settings classes of images and operator")


def _process(module: str, settings: type[BaseSettings], job: str) -> Iterator[str]:
    yield f"## {module.rpartition('.')[2].removeprefix('claude_gateway_')}"
    yield job
    yield block(f"python -m {module}", "sh")
    # Pydantic puts inherited fields first; the class's own are the important ones.
    fields = sorted(settings.model_fields.items(), key=lambda item: item[0] not in settings.__annotations__)
    rows = [_row(settings, field, info) for field, info in fields]
    yield table(("Variable", "Type", "Default", "Meaning"), rows)


def _row(settings: type[BaseSettings], field: str, info: FieldInfo) -> tuple[str, ...]:
    own = f"{settings.model_config.get('env_prefix', '')}{field}".upper()
    variable = info.validation_alias if isinstance(info.validation_alias, str) else own
    default = "required" if info.is_required() else "none" if info.default in (None, ()) else code(_value(info.default))
    return code(variable), _type(info), default, info.description or ""


def _value(default: object) -> object:
    """Return a default as one would write it."""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else default


def _type(info: FieldInfo) -> str:
    kind = _plain(info.annotation)
    if get_origin(kind) is Literal:
        return " or ".join(code(option) for option in get_args(kind))
    if get_origin(kind) is tuple:
        return "list"
    words = {"str": "text", "Path": "path", "int": "integer", "float": "number", "bool": "true or false"}
    bounds = [
        f"{word} {getattr(item, name)}"
        for item in info.metadata
        for bound, name, word in _BOUNDS
        if isinstance(item, bound)
    ]
    return ", ".join([words.get(kind.__name__, kind.__name__), *bounds])


def _plain(annotation: Any) -> Any:
    """Return a type without its metadata and without ``None``."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if type(None) in get_args(annotation):
        return _plain(next(option for option in get_args(annotation) if option is not type(None)))
    return annotation
