"""A scripted stand-in for LLM vendors: for the first try and for tests.

It implements Anthropic Messages and OpenAI Chat Completions, Completions, Responses and Embeddings, and does what the
prompt or a script tells it. ``Scripted`` runs it inside a test; ``python -m claude_gateway_scripted`` as a process.
"""

from claude_gateway_scripted.journal import Recorded, digest
from claude_gateway_scripted.local import Scripted
from claude_gateway_scripted.script import Config, Step

__all__ = ["Config", "Recorded", "Scripted", "Step", "digest"]
