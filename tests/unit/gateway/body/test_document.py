"""A body is read without being serialised again: what is not changed stays byte for byte."""

import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import oddjson

from claude_gateway_proxy.gateway.body.document import MODEL_LIMIT, parse, readable, splice
from claude_gateway_proxy.gateway.body.fields import check_spelling
from claude_gateway_proxy.gateway.errors import Failure

_SPACES = st.text(alphabet=" \t\r\n", max_size=3)
_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=8)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_OWN = {"model", "stream", "max_tokens", "max_completion_tokens", "max_output_tokens"}


def _spelled(content: dict[str, Any]) -> bool:
    """Whether no key differs only by case from another or from a known one."""
    with suppress(Failure):
        check_spelling(content)
        return True
    return False


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A valid body with odd white space, escapes and order, and what it means."""
    content = draw(st.dictionaries(_TEXT.filter(lambda key: key not in _OWN), _VALUES, max_size=4).filter(_spelled))
    content["model"] = draw(st.text(alphabet="abc-é*/", min_size=1, max_size=6))
    if draw(st.booleans()):
        content["stream"] = draw(st.booleans())
    if draw(st.booleans()):
        content["max_tokens"] = draw(st.integers(0, 10**6))
    keys = draw(st.permutations(list(content)))
    parts = []
    for key in keys:
        value = json.dumps(content[key], ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
        gaps = [draw(_SPACES) for _ in range(4)]
        parts.append(f"{gaps[0]}{_quoted(key, draw(st.booleans()))}{gaps[1]}:{gaps[2]}{value}{gaps[3]}")
    text = f"{draw(_SPACES)}{{{','.join(parts)}}}{draw(_SPACES)}"
    return text.encode(), {key: content[key] for key in keys}


def _quoted(key: str, escaped: bool) -> str:
    if not escaped or any(ord(letter) > 0xFFFF for letter in key):
        return json.dumps(key)
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in key) + '"'


@given(bodies())
def test_spans_are_the_values(case: tuple[bytes, dict[str, Any]]) -> None:
    raw, content = case
    body = parse(raw)
    assert {key: json.loads(raw[start:end]) for key, (start, end) in body.members.items()} == content
    assert body.model == content["model"]
    assert body.stream is content.get("stream", False)
    assert body.limit("max_tokens") == content.get("max_tokens")


@given(bodies(), st.sets(st.sampled_from(["model", "stream", "max_tokens", "absent"])), st.data())
def test_keys_are_taken_out_and_the_rest_stays(
    case: tuple[bytes, dict[str, Any]], gone: set[str], data: st.DataObject
) -> None:
    raw, content = case
    more = data.draw(st.dictionaries(st.sampled_from(["new", "max_tokens"]), _VALUES, max_size=2))
    changes = {key: json.dumps(value).encode() for key, value in more.items()} | dict.fromkeys(gone)
    spliced = splice(parse(raw), changes)
    kept = {key: value for key, value in (content | more).items() if key not in gone}
    assert json.loads(spliced) == kept
    for key, (start, end) in parse(raw).members.items():
        if key not in changes:
            assert raw[start:end] in spliced


def test_a_model_from_the_path_needs_none_in_the_body() -> None:
    body = parse(b'{"stream":null}', model="claude-x", stream=True)
    assert (body.model, body.stream) == ("claude-x", True)
    with pytest.raises(Failure):
        parse(b"{}", model="")


@given(
    bodies(), st.dictionaries(st.sampled_from(["model", "stream", "x", "max_tokens", 'a"é', ""]), _VALUES, max_size=4)
)
def test_splice_changes_what_is_named_and_nothing_else(
    case: tuple[bytes, dict[str, Any]], changes: dict[str, Any]
) -> None:
    raw, content = case
    body = parse(raw)
    spliced = splice(body, {key: json.dumps(value).encode() for key, value in changes.items()})
    assert json.loads(spliced) == content | changes
    spans = sorted(body.members[key] for key in changes if key in body.members)
    at, rest = 0, spliced
    for start, end in spans:  # the untouched pieces are there, in order
        piece = raw[at:start]
        assert piece in rest
        rest = rest[rest.index(piece) + len(piece) :]
        at = end
    assert raw[at : body.close] in rest
    assert spliced.endswith(raw[body.close :])


@given(bodies())
def test_nothing_to_change_gives_the_same_bytes(case: tuple[bytes, dict[str, Any]]) -> None:
    raw, _ = case
    assert splice(parse(raw), {}) == raw


@given(st.binary(max_size=64) | bodies().map(lambda case: case[0]).flatmap(lambda raw: st.just(raw[: len(raw) // 2])))
def test_any_bytes_are_a_body_or_a_failure(raw: bytes) -> None:
    with suppress(Failure):
        assert parse(raw).model


@given(bodies(), st.data())
def test_a_key_that_comes_twice_is_refused(case: tuple[bytes, dict[str, Any]], data: st.DataObject) -> None:
    raw, content = case
    body = parse(raw)
    key = data.draw(st.sampled_from(sorted(content)))
    again = _quoted(key, data.draw(st.booleans())).encode()
    value = data.draw(st.sampled_from([raw[slice(*body.members[key])], b"1", b'"other"', b"null"]))
    first = data.draw(st.booleans())
    opening = raw.index(b"{") + 1
    twice = (
        raw[:opening] + again + b":" + value + b"," + raw[opening:]
        if first
        else raw[: body.close] + b"," + again + b":" + value + raw[body.close :]
    )
    with pytest.raises(Failure) as failure:
        parse(twice)
    assert failure.value.status == 400


def test_an_escaped_key_is_the_key() -> None:
    raw = rb'{"mod\u0065l": "a", "max_tokens": 9}'
    assert splice(parse(raw), {"model": b'"b"'}) == rb'{"mod\u0065l": "b", "max_tokens": 9}'


def test_a_byte_order_mark_and_white_space_are_no_obstacle() -> None:
    body = parse(b'\xef\xbb\xbf \n{"model":"a"}\r\n')
    assert body.model == "a"
    assert body.raw == b' \n{"model":"a"}\r\n'


def test_adding_to_a_body_keeps_its_end() -> None:
    assert splice(parse(b'{"model":"a" }\n'), {"top_p": b"0.5"}) == b'{"model":"a" ,"top_p":0.5}\n'


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "valid JSON"),
        (b"{", "valid JSON"),
        (b"[]", "JSON object"),
        (b'"model"', "JSON object"),
        (b"{}", "model"),
        (b'{"model":""}', "model"),
        (b'{"model":null}', "model"),
        (b'{"model":["a"]}', "model"),
        (b'{"model":"a\\nb"}', "model"),
        (b'{"model":"' + b"m" * (MODEL_LIMIT + 1) + b'"}', "model"),
        (b'{"model":"\xff"}', "model"),
        (b'{"\xff":1,"model":"a"}', "UTF-8"),
        (b'{"model":"a","stream":"true"}', "stream"),
        (b'{"model":"a","stream":1}', "stream"),
        (b'{"model":"a","max_tokens":"9"}', "max_tokens"),
        (b'{"model":"a","max_tokens":1.5}', "max_tokens"),
        (b'{"model":"a","max_completion_tokens":-1}', "max_completion_tokens"),
        (b'{"model":"a","max_output_tokens":true}', "max_output_tokens"),
        (b'{"model":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
        (b'{"model":"a","model":"b"}', "twice"),
        (b'{"model":"a","mod\\u0065l":"a"}', "twice"),
        (b'{"x":12,"model":"a","x":1}', "twice"),
        (b'{"model":"a","%s":1}' % (b"k" * 1025), "more than 1024 characters"),
        (b'{"model":"a","%s":1}' % (rb"\u006b" * 1025), "more than 1024 characters"),
        (b'{"model":"a",%s}' % b",".join(b'"%d":1' % number for number in range(1000)), "more than 1000"),
        (b'{"model":"a",%s}' % b",".join(b'"%d":1' % number for number in range(100_000)), "more than 1000"),
    ],
)
def test_a_bad_body_is_refused_with_the_reason(raw: bytes, words: str) -> None:
    with pytest.raises(Failure) as failure:
        parse(raw)
    assert failure.value.status == 400
    assert words in failure.value.message


@pytest.mark.parametrize(("text", "stream"), [(b"true", True), (b"false", False), (b"null", False)])
def test_stream_is_a_boolean_or_open(text: bytes, stream: bool) -> None:
    assert parse(b'{"model":"a","stream":%s}' % text).stream is stream


def test_an_output_limit_may_be_null() -> None:
    body = parse(b'{"model":"a","max_tokens":null,"max_completion_tokens":7}')
    assert (body.limit("max_tokens"), body.limit("max_completion_tokens"), body.limit("x")) == (None, 7, None)


@given(oddjson.requests(model="a"))
def test_whatever_is_legal_is_taken_and_kept(raw: bytes) -> None:
    body = parse(raw)
    assert (body.raw, body.model) == (raw, "a")
    assert json.loads(raw).keys() == body.members.keys()


@given(st.lists(st.sampled_from([r"\ud83d", r"\ude00", r"\uD83D\uDE00", r"\\", "ud83d", "x", r"\n"]), max_size=8))
def test_halves_of_characters_are_mended_and_nothing_else(pieces: list[str]) -> None:
    text = f'"{"".join(pieces)}"'
    mended = readable(text.encode())
    assert len(mended) == len(text)
    meant = json.loads(text)
    assert json.loads(mended) == re.sub("[\ud800-\udfff]", "\ufffd", meant)


def test_a_body_with_more_halves_than_anybody_sends_is_refused() -> None:
    with pytest.raises(Failure):
        parse(b'{"model":"a","x":"%s"}' % (rb"\ud83d" * 20_000))


def test_many_long_keys_are_taken_up_to_the_limits() -> None:
    keys = [f"{number:03}".ljust(1024, "k") for number in range(999)]
    assert len(parse(json.dumps({"model": "a", **dict.fromkeys(keys, 1)}).encode()).members) == 1000


@pytest.mark.parametrize("key", ["Model", "MODEL", "\u017ftream", "max_to\u212aens", "Fallbacks"])
def test_a_known_field_in_another_case_is_refused(key: str) -> None:
    for raw in ({"model": "a", key: 1}, {key: 1, "model": "a"}):
        for ascii_only in (True, False):
            with pytest.raises(Failure, match="only by case"):
                parse(json.dumps(raw, ensure_ascii=ascii_only).encode())


@pytest.mark.parametrize("keys", [("own", "Own"), ("Own", "own"), ("OWN", "Own"), ("\u0131d", "id")])
def test_two_spellings_of_one_field_are_refused(keys: tuple[str, str]) -> None:
    with pytest.raises(Failure, match="only by case"):
        parse(json.dumps({"model": "a", **dict.fromkeys(keys, 1)}).encode())


def test_a_vendors_own_field_may_have_capitals() -> None:
    assert "safetySettings" in parse(b'{"model":"a","safetySettings":{}}').members
