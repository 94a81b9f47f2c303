"""The conversations of OpenAI's clients as Messages: turns, images, documents and thinking."""

from typing import Any

import pytest
from tests.support.builders.client_requests import (
    FUNCTION,
    NEWEST,
    PDF,
    PNG,
    THOUGHT,
    TOOL,
    USER,
    call,
    chat,
    kinds,
    responses,
    target,
)

from claude_gateway_proxy.translation.chat.client_request import messages_request as of_chat
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.thinking import opened, sealed


def test_system_and_developer_messages_are_the_system_prompt() -> None:
    body = chat(
        {"role": "system", "content": "one"}, USER, {"role": "developer", "content": [{"type": "text", "text": "two"}]}
    )
    assert [block["text"] for block in body["system"]] == ["one", "two"]
    assert kinds(body) == [("user", ["text"])]
    body = responses({"role": "developer", "content": "two"}, USER, instructions="one")
    assert [block["text"] for block in body["system"]] == ["one", "two"]
    alone = chat({"role": "system", "content": "say hi"})
    assert (kinds(alone), "system" in alone) == ([("user", ["text"])], False)
    with pytest.raises(Rejected, match="at least one message"):
        chat({"role": "user", "content": " "})


EMPTY = [
    {"role": "assistant", "content": text, "tool_calls": [call("c1")]}
    for text in ("", "\n", None, [{"type": "text", "text": ""}])
]


@pytest.mark.parametrize("said", EMPTY)
def test_empty_text_is_left_out(said: dict[str, Any]) -> None:
    body = chat(USER, said, {"role": "tool", "tool_call_id": "c1", "content": ""}, tools=[FUNCTION])
    assert kinds(body) == [("user", ["text"]), ("assistant", ["tool_use"]), ("user", ["tool_result"])]
    assert chat(USER, {"role": "assistant", "content": ""}, USER)["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}] * 2}
    ]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [('{"a": 1}', {"a": 1}), ('{"a', {"arguments": '{"a'}), ("[1]", {"arguments": [1]}), ("", {}), (None, {})],
)
def test_arguments_in_the_history_are_objects(given: Any, wanted: Any) -> None:
    body = chat(USER, {"role": "assistant", "tool_calls": [call("c1", given)]}, tools=[FUNCTION])
    assert body["messages"][1]["content"][0]["input"] == wanted
    body = responses(
        USER, {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": given}, tools=[TOOL]
    )
    assert body["messages"][1]["content"][0]["input"] == wanted


def test_every_call_has_its_result_right_behind_it() -> None:
    body = chat(
        USER,
        {"role": "assistant", "content": "go", "tool_calls": [call("c1"), call("c2"), call("c3")]},
        {"role": "user", "content": "meanwhile"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "one"}]},
        {"role": "tool", "tool_call_id": "c9", "content": "nobody asked"},
        tools=[FUNCTION],
    )
    assert kinds(body)[1:] == [
        ("assistant", ["text", *["tool_use"] * 3]),
        ("user", [*["tool_result"] * 3, "text", "text"]),
    ]
    results = body["messages"][2]["content"][:3]
    assert [each["tool_use_id"] for each in results] == ["c2", "c1", "c3"]
    assert results[2]["is_error"] is True


def test_an_id_that_comes_twice_becomes_two() -> None:
    pair = ({"role": "assistant", "tool_calls": [call("c1")]}, {"role": "tool", "tool_call_id": "c1", "content": "x"})
    body = chat(USER, *pair, *pair, tools=[FUNCTION])
    calls = [block["id"] for turn in body["messages"] for block in turn["content"] if block["type"] == "tool_use"]
    results = [
        block["tool_use_id"] for turn in body["messages"] for block in turn["content"] if block["type"] == "tool_result"
    ]
    assert len(set(calls)) == 2
    assert calls == results


def test_an_assistant_that_speaks_first_or_last() -> None:
    first = chat({"role": "assistant", "content": "welcome"}, USER)
    assert [turn["role"] for turn in first["messages"]] == ["user", "assistant", "user"]
    last = chat(USER, {"role": "assistant", "content": "I say "})
    assert last["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "I say"}]}
    assert chat(USER, {"role": "assistant", "content": "I say"}, model=NEWEST)["messages"][-1]["role"] == "user"


IMAGES = [
    ("data:image/jpg;base64,/9j/4AAQ", "image/jpeg"),
    (f"data:image/jpeg;base64,{PNG}", "image/png"),
    (f"data:application/octet-stream;base64,{PNG}", "image/png"),
    ("DATA:image/WEBP;charset=x;base64,UklGRgAAAABXRUJQ", "image/webp"),
]


@pytest.mark.parametrize(("url", "kind"), IMAGES)
def test_images_have_the_type_that_they_are(url: str, kind: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}
    (found,) = chat({"role": "user", "content": [part]})["messages"][0]["content"]
    assert found == {"type": "image", "source": {"type": "base64", "media_type": kind, "data": url.partition(",")[2]}}
    item = {"role": "user", "content": [{"type": "input_image", "image_url": url}]}
    assert responses(item)["messages"][0]["content"] == [found]


def test_images_from_the_web_where_claude_fetches_them() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}
    message = {"role": "user", "content": [part]}
    assert chat(message)["messages"][0]["content"][0]["source"] == {"type": "url", "url": "https://a.example/x.png"}
    with pytest.raises(Rejected, match="data: URLs only"):
        of_chat({"messages": [message]}, target=target(urls=False))
    for url in ("http://a.example/x.png", "data:image/svg+xml;base64,AAAA", "data:x", "", None):
        with pytest.raises(Rejected, match=r"messages\.0\.content\.0\.image_url"):
            chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})


def test_files_are_documents() -> None:
    def read(**file: Any) -> Any:
        return chat({"role": "user", "content": [{"type": "file", "file": file}]})["messages"][0]["content"][0]

    pdf = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    assert read(file_data=f"data:application/pdf;base64,{PDF}", filename="a.pdf") == {
        "type": "document",
        "source": pdf,
        "title": "a.pdf",
    }
    assert read(file_data=PDF)["source"] == pdf
    text = read(file_data="data:text/plain;base64,aGVsbG8=", filename="a.txt")
    assert text["source"] == {"type": "text", "media_type": "text/plain", "data": "hello"}
    item = {"type": "input_file", "file_url": "https://a.example/x.pdf"}
    assert responses({"role": "user", "content": [item]})["messages"][0]["content"][0]["source"]["type"] == "url"
    for wrong in (
        {"file_id": "file-1"},
        {"file_data": "data:application/zip;base64,AAAA"},
        {"file_data": "data:text/plain;base64,//8="},
    ):
        with pytest.raises(Rejected, match="file"):
            read(**wrong)


def test_other_parts_and_items_are_rejected_by_name() -> None:
    with pytest.raises(Rejected, match="parts of type 'input_audio'"):
        chat({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]})
    with pytest.raises(Rejected, match="parts of type 'x'"):
        responses({"role": "user", "content": [{"type": "x"}]})
    with pytest.raises(Rejected, match=r"input\.0: items of type 'computer_call'"):
        responses({"type": "computer_call"})
    with pytest.raises(Rejected, match="role: must be"):
        chat({"role": "judge", "content": "x"})


def test_hints_for_the_prompt_cache_stay_where_they_are() -> None:
    hint = {"type": "ephemeral"}
    part = {"type": "text", "text": "long", "cache_control": hint}
    body = chat(
        {"role": "system", "content": [part]},
        {"role": "user", "content": "x", "cache_control": hint},
        tools=[{**FUNCTION, "cache_control": hint}],
    )
    assert [
        body["system"][0]["cache_control"],
        body["messages"][0]["content"][0]["cache_control"],
        body["tools"][0]["cache_control"],
    ] == [hint] * 3


@pytest.mark.parametrize("block", [THOUGHT, {"type": "redacted_thinking", "data": "ZGF0YQ=="}])
def test_signed_thinking_comes_back(block: dict[str, Any]) -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed(block)}
    step = [
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "x"},
    ]
    body = responses(USER, item, *step, tools=[TOOL], reasoning={"effort": "low"})
    assert body["messages"][1]["content"][0] == block
    assert "thinking" in body
    redacted = {"type": "reasoning.encrypted", "data": "ZGF0YQ=="}
    detail = redacted if block["type"] != "thinking" else {"type": "reasoning.text", "text": "hm", "signature": "c2ln"}
    said = {"role": "assistant", "tool_calls": [call("c1")], "reasoning_details": [detail]}
    body = chat(
        USER, said, {"role": "tool", "tool_call_id": "c1", "content": "x"}, tools=[FUNCTION], reasoning_effort="low"
    )
    assert (body["messages"][1]["content"][0], "thinking" in body) == (block, True)
    said = {"role": "assistant", "tool_calls": [call("c1")], "thinking_blocks": [block]}
    assert chat(USER, said)["messages"][1]["content"][0] == block


def test_a_loop_that_was_not_thought_about_goes_on_without_thinking() -> None:
    past = [{"role": "assistant", "tool_calls": [call("c1")]}, {"role": "tool", "tool_call_id": "c1", "content": "x"}]
    assert "thinking" not in chat(USER, *past, tools=[FUNCTION], reasoning_effort="low")
    assert "thinking" in chat(USER, *past, USER, tools=[FUNCTION], reasoning_effort="low")
    assert "thinking" in chat(USER, *past, tools=[FUNCTION], reasoning_effort="low", model=NEWEST)


@pytest.mark.parametrize(
    "content", [None, 3, "", "cgwt1.", "cgwt1.!!", "cgwt1.AAAA", "gAAAA", sealed({"type": "thinking"})]
)
def test_thinking_of_somebody_else_is_left_out(content: Any) -> None:
    assert opened(content) is None
    body = responses(
        USER,
        {"type": "reasoning", "encrypted_content": content, "summary": []},
        {"role": "assistant", "content": "x"},
        USER,
    )
    assert kinds(body) == [("user", ["text"]), ("assistant", ["text"]), ("user", ["text"])]
