"""The content of requests and answers for their spans, only if the installation enables it."""
