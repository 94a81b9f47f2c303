"""Items of clients of Responses that no other format has: tools in the input, messages of agents, what servers ran."""

from typing import Any

import pytest
from tests.support.builders.client_requests import CLAUDES, SCHEMA, TOOL, USER, kinds, responses

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.openai_fields import plain
from claude_gateway_proxy.translation.responses.history import plain_request
from claude_gateway_proxy.translation.responses.summaries import sealed_summary

EXEC = {"type": "custom", "name": "exec", "description": "runs"}
FUNCTIONS = {"type": "namespace", "name": "functions", "description": "", "tools": [EXEC, TOOL]}
LOADED = {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": [FUNCTIONS]}
FOUND = {"type": "tool_search_output", "call_id": "s1", "status": "completed", "tools": [{**TOOL, "name": "found"}]}
SEARCH = {"type": "tool_search_call", "call_id": "s1", "execution": "client", "arguments": {"query": "x"}}
RAN = [
    {"type": kind, "id": "x"}
    for kind in ("image_generation_call", "code_interpreter_call", "file_search_call", "mcp_call", "mcp_list_tools")
]


def test_tools_in_the_input_are_tools_of_the_request() -> None:
    body = responses(LOADED, USER, SEARCH, FOUND, {**LOADED, "id": "at_1"}, tools=[{**TOOL, "name": "own"}])
    assert [tool["name"] for tool in body["tools"]] == ["own", "functions__exec", "functions__weather", "found"]
    assert body["tools"][2] == {**CLAUDES, "name": "functions__weather"}
    assert kinds(body) == [("user", ["text"])]
    call = {"type": "custom_tool_call", "call_id": "c1", "namespace": "functions", "name": "exec", "input": "1"}
    result = {"type": "custom_tool_call_output", "call_id": "c1", "output": "2"}
    body = responses(LOADED, USER, call, result)
    assert body["messages"][1]["content"][0]["name"] == "functions__exec"
    assert kinds(body) == [("user", ["text"]), ("assistant", ["tool_use"]), ("user", ["tool_result"])]


def test_what_servers_ran_is_left_out() -> None:
    assert responses(USER, *RAN, {"role": "assistant", "content": "so"}, USER) == responses(
        USER, {"role": "assistant", "content": "so"}, USER
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("do it", "do it"),
        ([{"type": "input_text", "text": "do it"}], "do it"),
        ([{"type": "encrypted_content", "encrypted_content": "do it"}], "do it"),
        ([{"type": "encrypted_content", "encrypted_content": "gAAAAABp"}], "only the models of OpenAI"),
        ([{"type": "encrypted_content", "encrypted_content": None}], "only the models of OpenAI"),
    ],
)
def test_a_message_of_an_agent_is_the_users(content: object, said: str) -> None:
    (turn,) = responses({"type": "agent_message", "author": "planner", "recipient": "planner/a", "content": content})[
        "messages"
    ]
    assert turn["role"] == "user"
    assert said in turn["content"][0]["text"]


@pytest.mark.parametrize("output", ["function_call_output", "local_shell_call_output"])
def test_a_call_of_openais_shell_is_a_call(output: str) -> None:
    action = {"type": "exec", "command": ["ls"]}
    body = responses(
        USER,
        {"type": "local_shell_call", "call_id": "c1", "status": "completed", "action": action},
        {"type": output, "call_id": "c1", "output": "a"},
    )
    assert kinds(body) == [("user", ["text"]), ("assistant", ["tool_use"]), ("user", ["tool_result"])]
    assert body["messages"][1]["content"][0]["input"] == action


def test_encrypted_results_are_left_out_of_a_call() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
    output = [{"type": "input_text", "text": "a"}, {"type": "encrypted_content", "encrypted_content": "gAAAAAx"}]
    body = responses(USER, call, {"type": "function_call_output", "call_id": "c1", "output": output}, tools=[TOOL])
    (result,) = body["messages"][2]["content"]
    assert [part["text"] for part in result["content"]] == ["a", "(A text that only the models of OpenAI can read.)"]


def test_a_summary_of_this_gateway_reaches_every_model() -> None:
    summary = {"type": "compaction", "encrypted_content": sealed_summary("they talked")}
    foreign = {"type": "compaction", "encrypted_content": "gAAAAAx"}
    found = plain_request({"input": [summary, foreign]})["input"]
    content = "Summary of the conversation so far:\nthey talked"
    assert found == [{"type": "message", "role": "user", "content": content}, foreign]


def test_other_providers_of_litellm_get_a_plain_request() -> None:
    items: list[Any] = [LOADED, USER, SEARCH, FOUND, *RAN, {"type": "agent_message", "content": None}]
    request = {"input": items, "tools": [{"type": "function", "name": "own", "parameters": SCHEMA}]}
    found = plain(request, format=Format.RESPONSES, provider="gemini")
    assert found["input"] == [USER, {"type": "message", "role": "user", "content": ""}]
    assert found["tools"] == [*request["tools"], FUNCTIONS, *FOUND["tools"]]
    assert plain(request, format=Format.RESPONSES, provider="azure") is request
    assert plain_request({"input": "hi"}) == {"input": "hi"}
    assert plain_request({"input": [LOADED | {"tools": ["x"]}, USER]}) == {"input": [USER]}
    odd = {"input": [USER, "hi"]}
    assert plain_request(odd) is odd
