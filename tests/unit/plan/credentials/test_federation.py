"""The pods' identity at Anthropic: what the data plane gets, and which credentials may use it."""

from typing import Any

import pytest
from tests.support.builders.objects import NOW, federated, plan, route, target

from claude_gateway.contract.policy import Egress
from claude_gateway.contract.target import Federation, Format, Wire
from claude_gateway.names import Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.world import Settings

_NEAR = Egress(loopback=True)


def decided(*manifests: dict[str, Any], **settings: Any) -> Plan:
    return decide(read([route(), *manifests], Settings(**settings)), NOW)


def problems_of(found: Plan) -> list[tuple[str, str]]:
    return [(p.field, p.reason) for p in found.problems if p.object.kind == "ClaudeCredential"]


def test_a_target_gets_the_ids_and_no_secret() -> None:
    found = plan(route(), federated(workspaceID="wrkspc_01"))
    assert found.problems == ()
    (only,) = found.policy.routes[0].targets
    assert only.federation == Federation(
        organization_id="01234567-89ab-4def-8123-456789abcdef",
        federation_rule_id="fdrl_01",
        service_account_id="svac_01",
        workspace_id="wrkspc_01",
    )
    assert (only.secret, only.base_url, only.wire) == (None, "https://api.anthropic.com", Wire.ANTHROPIC)
    assert only.formats == (Format.MESSAGES, Format.COUNT_TOKENS)
    assert found.bundle.secrets == {}


def test_only_targets_at_anthropic_can_use_it() -> None:
    found = plan(route(targets=[target("openai/gpt-5")]), federated())
    (problem,) = found.problems
    assert problem.reason == Reason.CREDENTIAL_MISMATCH


def test_other_namespaces_may_not_use_the_pods_identity() -> None:
    found = decided(federated(), identity_namespaces=frozenset({"gateway"}))
    assert problems_of(found) == [("spec.workloadIdentity", Reason.IDENTITY_NOT_ALLOWED)]
    assert found.policy.routes[0].targets == ()


def test_without_a_token_in_the_pods_the_value_is_named() -> None:
    found = decided(federated(), identity_token=False)
    assert problems_of(found) == [("spec.workloadIdentity", Reason.IDENTITY_NOT_ALLOWED)]
    assert "proxy.workloadIdentity.enabled" in found.problems[0].fix


@pytest.mark.parametrize("base_url", ["https://relay.example", "http://relay.models.svc:8080", "http://127.0.0.1:9"])
def test_the_pods_token_may_go_to_another_address(base_url: str) -> None:
    found = decided(federated(baseURL=base_url), egress=_NEAR)
    assert problems_of(found) == []
    assert found.policy.routes[0].targets[0].base_url == base_url


def test_the_pods_token_is_not_sent_in_the_clear() -> None:
    found = decided(federated(baseURL="http://relay.example"))
    assert problems_of(found) == [("spec.workloadIdentity.baseURL", Reason.ADDRESS_NOT_ALLOWED)]


def test_an_address_that_is_not_allowed_is_rejected_as_for_every_credential() -> None:
    found = decided(federated(baseURL="http://169.254.169.254"))
    assert ("spec.workloadIdentity.baseURL", Reason.ADDRESS_NOT_ALLOWED) in problems_of(found)


def test_what_a_target_spends_is_named_by_content() -> None:
    """A report about one identity must not be taken for one about its successor."""
    names = {
        plan(route(), federated(**fields)).policy.routes[0].targets[0].credential
        for fields in (
            {},
            {"workspaceID": "default"},
            {"federationRuleID": "fdrl_02"},
            {"baseURL": "https://a.example"},
        )
    }
    assert len(names) == 4
    assert all(name is not None and name.startswith("default/anthropic.") for name in names)
