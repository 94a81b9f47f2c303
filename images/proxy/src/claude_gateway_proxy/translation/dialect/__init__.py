"""Claude Code's dialect of Messages turned into the plain Messages that any backend can be given."""

from claude_gateway_proxy.gateway.body.foreign import without_foreign_thinking
from claude_gateway_proxy.translation.dialect.messages import plain_messages

__all__ = ["plain_messages", "without_foreign_thinking"]
