"""From one Claude wire to another, what moves moves, and every other byte stays."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.target import CLAUDE_WIRES, Format, Wire
from claude_gateway_proxy.gateway.body.document import Body, splice
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.wire.paths import ModelPath, model_path, plain_path, profile
from claude_gateway_proxy.gateway.wire.reframe import as_messages, counted, read_body, reframed

_TURN = b'"messages" : [ {"role":"user","content":"h\\u00e9 \xc3\xa9"} ],"odd":[1.0, 2]'
_BEDROCK = b'{ %s,"anthropic_beta":["a-2026-01-01","tool-search-tool-2025-10-19"], "anthropic_version":"x"}' % _TURN
_VERTEX = b'{"anthropic_version":"vertex-2023-10-16",%s, "stream":true}' % _TURN
_MESSAGES = b'{"model":"claude-x", %s,"stream" : true }' % _TURN
_CLOUD_ENTRIES = {
    Wire.BEDROCK: ModelPath(Wire.BEDROCK, Format.MESSAGES, model="us.anthropic.claude-x-v1:0", stream=True),
    Wire.VERTEX: ModelPath(Wire.VERTEX, Format.MESSAGES, model="claude-x@20250101", stream=True),
    Wire.ANTHROPIC: ModelPath(Wire.ANTHROPIC, Format.MESSAGES),
}
_BODIES = {Wire.BEDROCK: _BEDROCK, Wire.VERTEX: _VERTEX, Wire.ANTHROPIC: _MESSAGES}
_BETAS = [(b"anthropic-beta", b"b-2026-02-02, claude-code-20250219"), (b"x-app", b"cli")]


def body_of(wire: Wire) -> Body:
    """A streamed request as a client of this wire sends it."""
    return read_body(_BODIES[wire], _CLOUD_ENTRIES[wire])


def sent(wire: Wire, to: Wire, **more: Any) -> tuple[dict[str, Any], dict[bytes, bytes], bytes]:
    """The body (read and in bytes) and the headers that a target of another wire gets."""
    body = body_of(wire)
    frame = reframed(Facts(body), _BETAS, to=to, format=Format.MESSAGES, model="there", **more)
    raw = splice(body, frame.changes)
    return json.loads(raw), dict(frame.headers), raw


@pytest.mark.parametrize("wire", [Wire.BEDROCK, Wire.VERTEX])
def test_anthropic_gets_its_own_frame(wire: Wire) -> None:
    body, headers, raw = sent(wire, Wire.ANTHROPIC)
    assert (body["model"], body["stream"]) == ("there", True)
    assert not {"anthropic_version", "anthropic_beta"} & body.keys()
    betas = headers[b"anthropic-beta"].split(b",")
    assert betas[:2] == [b"b-2026-02-02", b"claude-code-20250219"]
    if wire is Wire.BEDROCK:
        assert betas[2:] == [b"a-2026-01-01", b"advanced-tool-use-2025-11-20"]
    assert _TURN in raw


@pytest.mark.parametrize("wire", [Wire.ANTHROPIC, Wire.VERTEX])
def test_bedrock_gets_its_own_frame(wire: Wire) -> None:
    body, headers, raw = sent(wire, Wire.BEDROCK)
    assert not {"model", "stream"} & body.keys()
    assert body["anthropic_version"] == "bedrock-2023-05-31"
    assert body["anthropic_beta"] == ["b-2026-02-02"]
    assert headers == {b"x-app": b"cli"}
    assert _TURN in raw


@pytest.mark.parametrize("wire", [Wire.ANTHROPIC, Wire.BEDROCK])
def test_vertex_gets_its_own_frame(wire: Wire) -> None:
    body, headers, raw = sent(wire, Wire.VERTEX)
    assert not {"model", "anthropic_beta"} & body.keys()
    assert (body["anthropic_version"], body["stream"]) == ("vertex-2023-10-16", True)
    assert headers[b"anthropic-beta"].startswith(b"b-2026-02-02,claude-code-20250219")
    assert _TURN in raw


@pytest.mark.parametrize("to", [Wire.BEDROCK, Wire.VERTEX])
def test_headers_of_another_cloud_stay_behind(to: Wire) -> None:
    headers = [(b"x-amz-user-agent", b"a"), (b"x-amzn-bedrock-accept", b"*/*"), (b"x-goog-x", b"b"), (b"x-app", b"c")]
    frame = reframed(Facts(body_of(Wire.ANTHROPIC)), headers, to=to, format=Format.MESSAGES, model="m")
    assert list(frame.headers) == [(b"x-app", b"c")]


def test_text_that_is_no_beta_becomes_no_header() -> None:
    raw = json.dumps({"anthropic_beta": ["good-1", "a\r\nx-evil: 1", "é", "a,b", 7, ""]}).encode()
    body = read_body(raw, _CLOUD_ENTRIES[Wire.BEDROCK])
    frame = reframed(Facts(body), (), to=Wire.ANTHROPIC, format=Format.MESSAGES, model="m")
    assert list(frame.headers) == [(b"anthropic-beta", b"good-1")]


def test_a_newer_version_of_the_api_goes_on() -> None:
    newer = [(b"anthropic-version", b"2026-10-21")]
    frame = reframed(Facts(body_of(Wire.ANTHROPIC)), newer, to=Wire.BEDROCK, format=Format.MESSAGES, model="m")
    assert frame.changes["anthropic_version"] == b'"2026-10-21"'
    body = read_body(b'{"anthropic_version":"2026-10-21"}', _CLOUD_ENTRIES[Wire.BEDROCK])
    back = reframed(
        Facts(body), [(b"anthropic-version", b"2023-06-01")], to=Wire.ANTHROPIC, format=Format.MESSAGES, model="m"
    )
    assert list(back.headers) == newer


def test_a_count_of_tokens_is_wrapped_up_for_bedrock_and_unwrapped() -> None:
    asked = b'{"model":"claude-x",%s,"thinking":{"type":"enabled","budget_tokens":2000}}' % _TURN
    body = read_body(asked, ModelPath(Wire.ANTHROPIC, Format.COUNT_TOKENS))
    frame = reframed(Facts(body), (), to=Wire.BEDROCK, format=Format.COUNT_TOKENS, model="there")
    wrapped = counted(splice(body, frame.changes))
    inner = json.loads(base64.b64decode(json.loads(wrapped)["input"]["invokeModel"]["body"]))
    assert (inner["max_tokens"], "model" in inner) == (2001, False)
    back = read_body(wrapped, ModelPath(Wire.BEDROCK, Format.COUNT_TOKENS, model="anthropic.claude-x"))
    again = reframed(Facts(back), (), to=Wire.VERTEX, format=Format.COUNT_TOKENS, model="claude-x@20250101")
    assert json.loads(splice(back, again.changes))["model"] == "claude-x@20250101"


@pytest.mark.parametrize(
    "raw", [b"{}", b"[]", b"oops", b'{"input":{"invokeModel":{"body":"%"}}}', b'{"input":{"converse":{}}}']
)
def test_a_count_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(Failure) as refused:
        read_body(raw, ModelPath(Wire.BEDROCK, Format.COUNT_TOKENS, model="m"))
    assert refused.value.status == 400


def test_a_clouds_request_is_plain_messages_for_a_translator() -> None:
    body = body_of(Wire.BEDROCK)
    assert json.loads(splice(body, as_messages(body))) == {
        **json.loads(b"{%s}" % _TURN),
        "model": "us.anthropic.claude-x-v1:0",
        "stream": True,
    }
    plain = body_of(Wire.ANTHROPIC)
    assert json.loads(splice(plain, as_messages(plain))) == json.loads(_MESSAGES)


_VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2)


@given(
    content=st.dictionaries(
        st.sampled_from(["messages", "anthropic_version", "anthropic_beta", "thinking", "max_tokens", "x"]), _VALUES
    ),
    wire=st.sampled_from(sorted(CLAUDE_WIRES)),
    to=st.sampled_from(sorted(CLAUDE_WIRES)),
    format_=st.sampled_from([Format.MESSAGES, Format.COUNT_TOKENS]),
)
def test_any_body_is_reframed(content: dict[str, Any], wire: Wire, to: Wire, format_: Format) -> None:
    content.pop("max_tokens", None) if not isinstance(content.get("max_tokens"), int) else None
    known = {"model": "claude-x"} if wire is Wire.ANTHROPIC else {}
    try:
        body = read_body(json.dumps({**known, **content}).encode(), _CLOUD_ENTRIES[wire])
    except Failure:
        return
    frame = reframed(Facts(body), _BETAS, to=to, format=format_, model="m")
    out = json.loads(splice(body, frame.changes))
    assert {key: out.get(key) for key in ("messages", "thinking", "x")} == {
        key: content.get(key) for key in ("messages", "thinking", "x")
    }


_ARN = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-x"
_PROJECT = "/projects/p/locations/us-east5/publishers/anthropic/models"


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("/v1/messages", ModelPath(Wire.ANTHROPIC, Format.MESSAGES)),
        ("/anthropic/v1/messages", ModelPath(Wire.ANTHROPIC, Format.MESSAGES)),
        ("/v1/v1/messages/count_tokens", ModelPath(Wire.ANTHROPIC, Format.COUNT_TOKENS)),
        ("/v1/chat/completions", ModelPath(Wire.OPENAI, Format.CHAT)),
        ("/model/a.b-v1%3A0/invoke", ModelPath(Wire.BEDROCK, Format.MESSAGES, model="a.b-v1:0")),
        ("/bedrock/model/a.b-v1:0/invoke", ModelPath(Wire.BEDROCK, Format.MESSAGES, model="a.b-v1:0")),
        (
            "/bedrock/v1/model/a/invoke-with-response-stream",
            ModelPath(Wire.BEDROCK, Format.MESSAGES, model="a", stream=True),
        ),
        ("/model/a/count-tokens", ModelPath(Wire.BEDROCK, Format.COUNT_TOKENS, model="a")),
        (f"/model/{_ARN.replace('/', '%2F')}/invoke", ModelPath(Wire.BEDROCK, Format.MESSAGES, model=_ARN)),
        (f"/model/{_ARN}/invoke", ModelPath(Wire.BEDROCK, Format.MESSAGES, model=_ARN)),
        (f"/vertex/v1{_PROJECT}/claude-x@1:rawPredict", ModelPath(Wire.VERTEX, Format.MESSAGES, model="claude-x@1")),
        (
            f"{_PROJECT}/claude-x%401:streamRawPredict",
            ModelPath(Wire.VERTEX, Format.MESSAGES, model="claude-x@1", stream=True),
        ),
        (f"/v1{_PROJECT}/count-tokens:rawPredict", ModelPath(Wire.VERTEX, Format.COUNT_TOKENS)),
        ("/model/a/converse", None),
        ("/model//invoke", None),
        ("/v1/models", None),
        (f"/v1{_PROJECT.replace('anthropic', 'google')}/gemini:rawPredict", None),
    ],
)
def test_a_path_says_wire_format_and_model(raw: str, found: ModelPath | None) -> None:
    assert model_path(raw, raw.encode()) == found


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("/inference-profiles", ""),
        ("/bedrock/inference-profiles/", ""),
        (f"/inference-profiles/{_ARN.replace('/', '%2F')}", _ARN),
        ("/v1/messages", None),
    ],
)
def test_a_path_asks_for_inference_profiles(raw: str, found: str | None) -> None:
    assert profile(raw.encode()) == found


def test_the_prefix_of_a_mode_says_nothing_else() -> None:
    assert [plain_path(path) for path in ("/bedrock", "/bedrock/v1/models", "/anthropics", "/v1/models")] == [
        "/",
        "/v1/models",
        "/anthropics",
        "/v1/models",
    ]


def without(betas: str, **fields: Any) -> dict[str, Any]:
    """A request as Bedrock gets it, by what is in it; its betas are among those that Bedrock refuses."""
    raw = json.dumps({"model": "claude-x", "max_tokens": 5, "messages": [], **fields}).encode()
    body = read_body(raw, _CLOUD_ENTRIES[Wire.ANTHROPIC])
    headers = [(b"anthropic-beta", betas.encode())]
    frame = reframed(Facts(body), headers, to=Wire.BEDROCK, format=Format.MESSAGES, model="there")
    found: dict[str, Any] = json.loads(splice(body, frame.changes))
    return {name: found.get(name) for name in fields}


@pytest.mark.parametrize(
    ("betas", "sent", "kept"),
    [
        ("fast-mode-2026-02-01", {"speed": "fast"}, {"speed": None}),
        (
            "mcp-client-2025-04-04,skills-2025-10-02",
            {"mcp_servers": [], "container": {}},
            {"mcp_servers": None, "container": None},
        ),
        ("structured-outputs-2025-11-13", {"output_format": {}}, {"output_format": None}),
        ("other-2026-01-01", {"speed": "fast"}, {"speed": "fast"}),
        (
            "web-fetch-2025-09-10",
            {"tools": [{"type": "web_fetch_20250910"}, {"name": "x"}, {"type": 5}, 7], "tool_choice": {"type": "auto"}},
            {"tools": [{"name": "x"}, {"type": 5}, 7], "tool_choice": {"type": "auto"}},
        ),
        (
            "web-fetch-2025-09-10",
            {"tools": [{"type": "web_fetch_20250910"}], "tool_choice": {"type": "auto"}},
            {"tools": None, "tool_choice": None},
        ),
        (
            "per-turn-control-2026-07-01",
            {"messages": [{"role": "system", "content": "x", "output_config": {"effort": "low"}}, {"role": "user"}]},
            {"messages": [{"role": "system", "content": "x"}, {"role": "user"}]},
        ),
        (
            "prompt-caching-scope-2026-01-05",
            {
                "system": [{"text": "scope", "cache_control": {"type": "ephemeral", "scope": "global"}}],
                "messages": [
                    {"content": [{"cache_control": {"scope": "x"}, "content": "scope"}]},
                    {"content": '"scope"'},
                    {"input": {"scope": 1}, "cache_control": ["scope"]},
                ],
                "tools": "scope",
            },
            {
                "system": [{"text": "scope", "cache_control": {"type": "ephemeral"}}],
                "messages": [
                    {"content": [{"cache_control": {}, "content": "scope"}]},
                    {"content": '"scope"'},
                    {"input": {"scope": 1}, "cache_control": ["scope"]},
                ],
                "tools": "scope",
            },
        ),
    ],
)
def test_fields_of_a_beta_that_is_left_out_go_with_it(betas: str, sent: dict[str, Any], kept: dict[str, Any]) -> None:
    assert without(betas, **sent) == kept
