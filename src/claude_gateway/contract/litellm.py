"""``litellm.yaml``: the part of LiteLLM's config that we render and read.

Also a config that ``litellm --config`` accepts, so that any LiteLLM user can read and run it. Secrets appear as
``os.environ/NAME`` only; our worker resolves them from the bundle's secret part by ``model_info.gw_secret``, never
from the environment.
"""

from pydantic import BaseModel, ConfigDict


class LiteLLMPart(BaseModel):
    """A frozen value with LiteLLM's own snake_case names."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class LiteLLMParams(LiteLLMPart):
    """What LiteLLM passes to the provider; what is secret is ``os.environ/<NAME>`` or absent."""

    model: str
    api_base: str | None = None
    api_key: str | None = None
    aws_region_name: str | None = None
    aws_bedrock_runtime_endpoint: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    vertex_project: str | None = None
    vertex_location: str | None = None
    vertex_credentials: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    timeout: float | None = None


class ModelInfo(LiteLLMPart):
    """``id`` is the target's id; keys with ``gw_`` are ours (LiteLLM reserves some names in here).

    ``gw_preload`` says that no relay lane can serve the target for Claude Code, so LiteLLM is worth importing
    before the first request.
    """

    id: str
    gw_secret: str | None = None
    gw_max_output_tokens: int | None = None
    gw_preload: bool = False


class Deployment(LiteLLMPart):
    """One target of one route; ``model_name`` is the route's name."""

    model_name: str
    litellm_params: LiteLLMParams
    model_info: ModelInfo


class LiteLLMSettings(LiteLLMPart):
    """Settings of the library."""

    drop_params: bool = True
    telemetry: bool = False


class RouterSettings(LiteLLMPart):
    """Only read by ``litellm --config``: our gateway routes by itself."""

    model_group_alias: dict[str, str] = {}


class LiteLLMConfig(LiteLLMPart):
    """All of ``litellm.yaml``."""

    model_list: tuple[Deployment, ...] = ()
    litellm_settings: LiteLLMSettings = LiteLLMSettings()
    router_settings: RouterSettings = RouterSettings()
