"""Translation between Anthropic Messages and OpenAI's formats: pure functions and typed events, no I/O.

A request goes ``messages.dialect`` -> ``messages.options`` -> ``chat.request`` or ``responses.request``; an answer goes
``chat.answer`` or ``responses.answer`` -> ``messages.writer`` -> ``messages.events``. Nothing here knows LiteLLM.
"""
