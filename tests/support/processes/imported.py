"""What a process of the proxy imports until it serves: imported once, for all that are forked from the process."""

import os

import claude_gateway_proxy.agent.__main__
import claude_gateway_proxy.gateway.__main__
import claude_gateway_proxy.litellm.__main__  # noqa: F401
from claude_gateway_proxy.litellm import environment

environment.reduce(os.environ)

import litellm  # noqa: E402, F401
