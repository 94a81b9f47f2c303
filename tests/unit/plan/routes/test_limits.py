"""What a target can take, as its route and the table of models say it."""

from typing import Any

import pytest
from tests.support.builders.objects import aws_keys, bedrock, credential, plan, route, secret, target

from claude_gateway.contract.target import Ability, Target


def _served(model: str = "anthropic/claude-sonnet-5-5", **more: Any) -> Target:
    provider = model.partition("/")[0]
    ours = credential(provider=provider)
    decided = plan(route(targets=[target(model, **more)]), ours, secret())
    (only,) = decided.policy.routes[0].targets
    return only


def test_a_known_model_has_the_limits_of_the_table() -> None:
    found = _served()
    assert (found.context_window, found.max_output_tokens, found.certain_window) == (1_000_000, 128_000, True)
    assert (found.long_context_window, found.has, found.lacks, found.unlisted) == (None, (), (), ())


def test_what_the_route_says_counts_more() -> None:
    supports = {"images": False, "documents": True, "tools": False}
    found = _served(contextWindow=5000, maxOutputTokens=400, supports=supports)
    assert (found.context_window, found.max_output_tokens, found.certain_window) == (5000, 400, True)
    assert found.has == (Ability.DOCUMENTS,)
    assert found.lacks == (Ability.IMAGES, Ability.TOOLS)


def test_the_routes_word_for_an_ability_replaces_the_tables() -> None:
    images, documents = Ability.IMAGES, Ability.DOCUMENTS
    assert set(_served("deepseek/deepseek-v4-pro").unlisted) == {images, documents}
    assert _served("deepseek/deepseek-v4-pro", supports={"images": True}).unlisted == (documents,)
    found = _served("deepseek/deepseek-v4-pro", supports={"images": False, "documents": True, "thinking": False})
    assert (found.unlisted, found.lacks, found.has) == ((), (images, Ability.THINKING), (documents,))


def test_limits_that_are_no_vendors_choose_and_never_reject_or_cut() -> None:
    found = _served("groq/openai/gpt-oss-120b")
    assert (found.context_window, found.certain_window, found.max_output_tokens) == (131_072, False, None)
    found = _served("groq/openai/gpt-oss-120b", contextWindow=100, maxOutputTokens=7)
    assert (found.context_window, found.certain_window, found.max_output_tokens) == (100, True, 7)


def test_a_server_of_ones_own_may_serve_anything_under_openais_names() -> None:
    found = _served("openai/gpt-4", baseURL="http://vllm.example.com/v1")
    assert (found.context_window, found.certain_window, found.max_output_tokens) == (8192, False, None)
    found = _served("openai/gpt-4")
    assert (found.context_window, found.certain_window, found.max_output_tokens) == (8192, True, 4096)


@pytest.mark.parametrize("model", ["hosted_vllm/gpt-5", "anthropic/*", "anthropic/unheard-of"])
def test_of_other_models_nothing_is_claimed(model: str) -> None:
    more = {"credential": None, "baseURL": "https://vllm.example.com/v1"} if model.startswith("hosted") else {}
    found = _served(model, **more)
    assert (found.context_window, found.max_output_tokens, found.certain_window) == (None, None, False)
    assert (found.has, found.lacks, found.unlisted) == ((), (), ())


def test_a_longer_context_comes_from_the_table_unless_the_route_says_how_long_it_is() -> None:
    def served(**more: Any) -> Target:
        cloud = target("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", **more)
        (only,) = plan(route(targets=[cloud]), bedrock(), aws_keys()).policy.routes[0].targets
        return only

    assert (served().context_window, served().long_context_window) == (200_000, 1_000_000)
    assert (served(contextWindow=5).context_window, served(contextWindow=5).long_context_window) == (5, None)
