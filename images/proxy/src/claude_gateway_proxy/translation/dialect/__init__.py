"""Claude Code's dialect of Messages turned into the plain Messages that any backend can be given."""

from claude_gateway_proxy.translation.dialect.messages import plain_messages

__all__ = ["plain_messages"]
