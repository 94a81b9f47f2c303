"""Replaces LiteLLM's resolution of references in schemas with ours, which is bounded.

LiteLLM unfolds the tools of every format on the way to Gemini, Vertex AI and Bedrock, without any bound. And a tool
without parameters gets an object without properties, which Gemini rejects.
"""

from contextvars import ContextVar
from typing import Any, Final

from claude_gateway_proxy.translation.schema.unfolding import Budget, unfolded
from claude_gateway_proxy.translation.schema.values import as_object

budget: Final[ContextVar[Budget | None]] = ContextVar("budget", default=None)
"""How much the schemas of the current request may grow; tasks and threads that serve the request inherit it."""


def current() -> Budget:
    """The budget of the current request."""
    return budget.get() or Budget()


def install() -> None:
    """Replace LiteLLM's function by ours; needs its import to be done, and cannot be undone."""
    from litellm.litellm_core_utils.prompt_templates import common_utils
    from litellm.llms.vertex_ai import common_utils as vertex
    from litellm.llms.vertex_ai.gemini import vertex_and_google_ai_studio_gemini as gemini

    # One looks the name up in its own module, the others import it from there when they need it.
    common_utils.unpack_defs = _unpack
    vertex.unpack_defs = _unpack  # type: ignore[attr-defined]
    build = vertex.build_vertex_schema

    def of_tool(parameters: Any, add_property_ordering: bool = False) -> Any:
        """Return None, which leaves the field out, for a tool without parameters; other schemas have an ordering."""
        found = build(parameters, add_property_ordering)
        return found if add_property_ordering or found.get("type") != "object" or found.get("properties") else None

    gemini.build_vertex_schema = of_tool  # type: ignore[attr-defined]


def _unpack(schema: Any, defs: Any, max_inlined_bytes: int | None = None) -> None:  # noqa: ARG001 - LiteLLM's name
    """Unfold a schema in place, as LiteLLM's function of this name does."""
    if isinstance(schema, dict):
        found = unfolded(schema, definitions=as_object(defs), budget=current())
        schema.clear()
        schema.update(found)
