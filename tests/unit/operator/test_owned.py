"""What the operator creates and restarts: its owner, the first key, the stored bundle, the Deployment."""

import re

from claude_gateway.plan.litellm_config import LiteLLMSettings
from claude_gateway_operator import rollout
from claude_gateway_operator.bootstrap import new_key
from claude_gateway_operator.owner import Owner
from claude_gateway_operator.store import Stored


def test_a_deployment_as_the_chart_made_it_is_not_rolled() -> None:
    defaults = rollout.checksum(LiteLLMSettings())
    other = rollout.checksum(LiteLLMSettings(drop_params=False))
    annotated = {"spec": {"template": {"metadata": {"annotations": {rollout.ANNOTATION: other}}}}}
    assert not rollout.due(None, other)
    assert not rollout.due({}, defaults)
    assert rollout.due({}, other)
    assert rollout.due(annotated, defaults)
    assert not rollout.due(annotated, other)


def test_the_owner_knows_its_own() -> None:
    owner = Owner(namespace="gateway", release="cg", uid="u1")
    mine = owner.metadata("x")
    assert owner.owns(mine)
    assert not Owner(namespace="gateway", release="cg", uid="u2").owns(mine)
    assert not Owner(namespace="gateway", release="other", uid="u1").owns(mine)
    assert not owner.owns({"name": "x"})
    assert "ownerReferences" not in owner.unowned("x")
    assert owner.made(owner.unowned("x"))
    assert not owner.made({"name": "x"})
    nobody = Owner(namespace="gateway", release="cg", uid=None)
    assert "ownerReferences" not in nobody.metadata("x")
    assert nobody.owns(mine)


def test_a_new_key_is_one_of_ours() -> None:
    assert re.fullmatch(r"cgw_[A-Za-z0-9_-]{43}", new_key())
    assert new_key() != new_key()


def test_what_is_stored_shows_no_value() -> None:
    stored = Stored(config={}, values={"a": b"hush"}, token="hush")
    assert "hush" not in repr(stored)
    assert Stored().slices() is None
