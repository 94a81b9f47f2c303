"""A nearly spent budget, as Claude Code shows it to somebody who is signed in at the gateway."""

import json
from pathlib import Path

from tests.contract.signin.test_gateway_login import Machine, gateway, organisation
from tests.support.kube.cloud import Cloud
from tests.support.signin.browser import Browser
from tests.support.signin.provider import Provider

from claude_gateway.contract.budget import Action, Budget
from claude_gateway_scripted import Scripted
