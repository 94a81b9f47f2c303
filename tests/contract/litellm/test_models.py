"""What the core says of models and places, compared with LiteLLM's own lists and with AWS's."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from claude_gateway.contract.openai import is_for_responses_only
from claude_gateway.contract.target import Aws, Google, Wire
from claude_gateway.plan.clouds import base_url, claude_wire, refusal

LISTED_FOR_CHAT_THOUGH_RESPONSES_ONLY = {"computer-use-preview", "computer-use-preview-2025-03-11"}
"""LiteLLM calls their mode chat, and lists /v1/responses as their only endpoint."""


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, Any]]:
    """LiteLLM's list of models; the file of the installed version, as the worker uses it."""
    # Found without an import, which would ask the internet for a newer list.
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / "model_prices_and_context_window_backup.json").read_text()
    found: dict[str, dict[str, Any]] = json.loads(text)
    return found


def test_models_for_the_responses_api_only_are_known_by_their_names(listed: dict[str, dict[str, Any]]) -> None:
    of_openai = {name: model for name, model in listed.items() if model.get("litellm_provider") == "openai"}
    theirs = {name for name, model in of_openai.items() if model.get("mode") == "responses"}
    ours = {name for name in of_openai if is_for_responses_only(name)}
    assert len(theirs) > 10
    assert ours - theirs <= LISTED_FOR_CHAT_THOUGH_RESPONSES_ONLY
    assert theirs <= ours


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("bedrock", ("bedrock", "bedrock_converse")), ("vertex_ai", ("vertex_ai-language-models",))],
)
def test_ids_of_models_in_clouds_are_let_pass(
    listed: dict[str, dict[str, Any]], ours: str, theirs: tuple[str, ...]
) -> None:
    names = {
        name.removeprefix(f"{ours}/")
        for name, model in listed.items()
        if model.get("litellm_provider") in theirs and model.get("mode") in ("chat", "embedding")
    }
    # Names with a region before them are prices; an id at Bedrock has a vendor before the point, and no `@`.
    plain = {name for name in names if ours != "bedrock" or (not set("/@") & set(name) and "." in name)}
    assert len(plain) > 20
    assert {name for name in plain if refusal(ours, name, "us-east-1")} == set()


def test_claude_is_known_by_its_id(listed: dict[str, dict[str, Any]]) -> None:
    for name, model in listed.items():
        if model.get("litellm_provider") in ("bedrock", "bedrock_converse") and not set("/@") & set(name):
            assert (claude_wire("bedrock", name) is Wire.BEDROCK) == ("anthropic.claude" in name), name
        if model.get("litellm_provider") == "vertex_ai-anthropic_models":
            assert claude_wire("vertex_ai", name.removeprefix("vertex_ai/")) is Wire.VERTEX, name


def test_addresses_are_those_that_aws_knows() -> None:
    session = Session()
    regions = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sts", partition_name=partition)
    }
    assert {"us-east-1", "us-gov-west-1", "cn-north-1", "us-iso-east-1"} <= regions
    for region in sorted(regions):
        client = session.create_client(
            "bedrock-runtime", region_name=region, aws_access_key_id="x", aws_secret_access_key="x"
        )
        assert base_url(Aws(region=region)) == client.meta.endpoint_url


ASK = """
import json, sys
from litellm.llms.vertex_ai.common_utils import get_vertex_base_url
print(json.dumps([get_vertex_base_url(location) for location in sys.argv[1:]]))
"""


def test_addresses_are_those_that_litellm_knows() -> None:
    locations = ["global", "us", "eu", "us-east5", "europe-west1", "me-central2"]
    offline = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [sys.executable, "-c", ASK, *locations]
    run = subprocess.run(command, capture_output=True, check=True, env=offline, timeout=60)
    assert [base_url(Google(project="p", location=location)) for location in locations] == json.loads(run.stdout)
