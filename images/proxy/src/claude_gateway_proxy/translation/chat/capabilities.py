"""What a server's Chat Completions accept beyond what all of them do."""

from collections.abc import Callable
from dataclasses import dataclass

from claude_gateway_proxy.translation.names import upstream_id
from claude_gateway_proxy.translation.schema.openai import for_openai
from claude_gateway_proxy.translation.schema.values import Schema


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a target's Chat Completions accept.

    ``signatures``: signatures of thoughts next to calls; ``reasoning``: the reasoning of earlier turns; ``files``:
    documents other than plain text; ``top_k``: that parameter; ``empty``: tools whose schema has no properties;
    ``budget``: a number of tokens to think for, as Messages' ``thinking``. ``schema`` repairs the schemas of tools,
    ``ident`` writes the ids of calls. ``details``: reasoning as OpenRouter's ``reasoning_details``; ``reasoned_calls``:
    a call of the history without reasoning is refused; ``switch``: ``thinking`` can be turned off; ``results_last``: a
    user's words behind results of tools are refused.
    """

    schema: Callable[[object], Schema] = for_openai
    signatures: bool = False
    reasoning: bool = False
    files: bool = True
    top_k: bool = False
    empty: bool = True
    ident: Callable[[object], str] = upstream_id
    budget: bool = False
    details: bool = False
    reasoned_calls: bool = False
    switch: bool = False
    results_last: bool = False
