"""How many files and sockets the process may have open."""

import resource


def raise_limit() -> None:
    """Raise the limit of open descriptors to what the system allows.

    Each stream takes two descriptors; shells and container runtimes often allow only 1,024.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
