"""Which route and which targets answer a request."""
