"""What clients can ask about the gateway itself: its models and inference profiles."""
