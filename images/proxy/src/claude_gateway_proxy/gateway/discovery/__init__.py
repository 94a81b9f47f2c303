"""What clients can query about the gateway itself, such as its models and inference profiles."""
