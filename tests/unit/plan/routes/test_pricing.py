"""What a route says about prices reaches the policy, and a target without any price is warned of."""

from decimal import Decimal

import pytest
from tests.support.builders.objects import credential, plan, route, secret, target

from claude_gateway.contract.target import OwnPrices
from claude_gateway.names import Reason


def test_the_prices_of_a_target_are_numbers_in_the_policy() -> None:
    prices = {"input": "1.50", "output": "6", "cacheRead": "0.15", "cacheWrite1h": "3"}
    found = plan(secret(), credential(), route(targets=[target("anthropic/of-tomorrow", prices=prices)]))
    assert found.problems == ()
    assert found.policy.routes[0].targets[0].prices == OwnPrices(
        input=Decimal("1.5"), output=Decimal(6), cache_read=Decimal("0.15"), cache_write_1h=Decimal(3)
    )


def test_a_model_without_a_known_price_is_warned_of() -> None:
    found = plan(secret(), credential(), route(targets=[target(), target("anthropic/of-tomorrow")]))
    (problem,) = found.problems
    assert (problem.reason, problem.field) == (Reason.PRICE_UNKNOWN, "spec.targets[1].model")
    assert problem.message == (
        "no list price of `anthropic/of-tomorrow` is known, so that its tokens count as $10 per million of input and "
        "$50 of output"
    )
    assert len(found.policy.routes[0].targets) == 2


@pytest.mark.parametrize(
    "free", [target("anthropic/*"), target("openai/of-tomorrow", None, baseURL="http://vllm.example/v1")]
)
def test_what_need_not_have_a_price_is_not_warned_of(free: dict[str, object]) -> None:
    assert plan(secret(), credential(), route(targets=[free])).problems == ()
