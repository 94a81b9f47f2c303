"""What is recorded of each request: the log line and the metrics."""
