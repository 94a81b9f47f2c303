"""Keys of clients: ``claude-gateway key``."""
