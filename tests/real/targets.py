"""A route for each way to reach the model server."""

from collections.abc import Mapping
from typing import Final

ROUTE: Final = """\
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: {name}}}
spec:
  models: [{name}]
  targets: [{{model: {model}, baseURL: "{url}"{more}}}]
"""

TARGETS: Final[Mapping[str, tuple[str, str, str]]] = {
    "messages": ("anthropic/gemma-3-270m", "", ""),
    "chat": ("hosted_vllm/gemma-3-270m", "/v1", ""),
    "responses": ("openai/gemma-3-270m", "/v1", ", formats: [Responses]"),
    "litellm": ("hosted_vllm/gemma-3-270m", "/v1", ", via: LiteLLM"),
}
"""What the model server is asked in, and by whom: the provider's model, the path of its address, more fields."""


def routes(url: str) -> str:
    """Return a route for each of the targets, which has its name."""
    return "---\n".join(
        ROUTE.format(name=name, model=model, url=url + path, more=more) for name, (model, path, more) in TARGETS.items()
    )
