"""The gateway: the process that clients send their requests to."""
