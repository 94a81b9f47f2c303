"""Provider keys in what upstreams say, in every spelling in which servers echo them."""

import html
import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.wire.error_events import ErrorEvents, without_keys
from claude_gateway_proxy.masking import MASKED, NOTHING, Mask

KEYS = (
    "sk-proj-A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0",
    "upstream-secret-7d1",
    'a+b/c"d\\e&f<g>h=0123456789',
)


def _escaped(key: str) -> str:
    return "".join(f"\\u{ord(each):04x}" for each in key)


_WHOLE: list[Callable[[str], str]] = [
    lambda key: key,
    lambda key: f"Bearer {key}",
    lambda key: f"{{'x-api-key': '{key}'}}",
    json.dumps,
    lambda key: json.dumps(json.dumps({"key": key})),
    lambda key: key.replace("/", "\\/"),
    _escaped,
    lambda key: json.dumps(_escaped(key)),
    lambda key: quote(key, safe=""),
    lambda key: quote(quote(key, safe=""), safe=""),
    lambda key: "".join(f"%{ord(each):02x}" for each in key),
    html.escape,
    lambda key: "".join(f"&#{ord(each)};" for each in key),
    lambda key: "".join(f"&#x{ord(each):x};" for each in key),
    lambda key: f"Basic {b64encode(f'user:{key}'.encode()).decode()}",
    lambda key: f"Basic {urlsafe_b64encode(key.encode()).decode().rstrip('=')}",
    lambda key: key[:-3],
    lambda key: key[3:],
]
_SHORTENED = [
    "{0:.8}...{1}",
    "{0:.8}\u2026{1}",
    "{0:.3}****************{1}",
    "{0:.6}[...]{1}",
    "{0:.6}<redacted>{1}",
    "{0:.9}xxxxxxxxxxxx{1}",
    "{0:.9}\\u2026{1}",
    "{0:.9}\\u2022\\u2022\\u2022{1}",
    "{0:.12}...",
    "****{1}",
    "...{1}",
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("number", range(len(_WHOLE)))
def test_a_key_is_masked_in_every_spelling(key: str, number: int) -> None:
    said = f"the header has '{_WHOLE[number](key)}', which is wrong"
    masked = Mask([key]).text(said)
    assert MASKED in masked
    for part in (key, key[:-3], key[3:]):
        assert part not in masked
    assert masked.startswith("the header has '")
    assert masked.endswith("', which is wrong")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("form", _SHORTENED)
def test_a_shortened_key_is_masked(key: str, form: str) -> None:
    said = f"Incorrect API key provided: {form.format(key, key[-4:])}. You can find yours at https://example.com."
    masked = Mask([key]).text(said)
    expected = f"Incorrect API key provided: {MASKED}"
    assert masked.startswith(expected)
    assert masked.endswith(" You can find yours at https://example.com.")
    assert key[-4:] not in masked


@pytest.mark.parametrize(
    "said",
    [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "the upstream is overloaded... try again",
        "Unexpected value(s) `x-2026` for the `anthropic-beta` header.",
        "a key looks like sk-... and begins with sk-",
        "**bold** text (with parentheses) [and brackets] 100%25 &amp; \\u00e9 \\n",
        "QUFBQUFBQUFBQUFBQUFBQUFB ya29.short",
    ],
)
def test_what_holds_no_key_stays_as_it_is(said: str) -> None:
    mask = Mask(KEYS)
    assert mask.text(said) == said
    body = b'{ "message" : %s}' % json.dumps(said).encode()
    assert mask.document(body) is body
    assert mask.document(b"<html>") == b"<html>"
    assert mask.events(b"event: error\r\ndata: %s\r\n\r\n" % body) == b"event: error\r\ndata: %s\r\n\r\n" % body


@pytest.mark.parametrize(("key", "seen"), [("none", True), ("ollama", True), ("sk-1234", False), ("12345", False)])
def test_a_short_key_is_masked_as_a_word_and_a_word_not_at_all(key: str, seen: bool) -> None:
    masked = Mask([key]).text(f"the key '{key}' is not for x{key}x")
    assert (f"'{key}'" in masked) is seen
    assert f"x{key}x" in masked


def test_a_token_that_a_library_fetched_is_masked() -> None:
    assert Mask(KEYS).text("Bearer ya29.a0AfB_byC-0123456789abcdef is expired") == f"Bearer {MASKED} is expired"


def test_a_document_keeps_everything_else() -> None:
    error = {"type": "error", "error": {"message": f"bad {KEYS[0]}", "list": [1, 2.5, None, KEYS[1]], KEYS[2]: "x"}}
    for body in (json.dumps(error), json.dumps(error).replace("sk-", "\\u0073k\\u002D")):
        cleaned = json.loads(Mask(KEYS).document(body.encode()))
        assert cleaned == {
            "type": "error",
            "error": {"message": f"bad {MASKED}", "list": [1, 2.5, None, MASKED], MASKED: "x"},
        }


@pytest.mark.parametrize(
    "body",
    [
        b"<html>%s</html>" % KEYS[0].encode(),
        b'{"error":{"message":"%s"},"error":1' % KEYS[0].encode(),
        b'{"a":"%s","b":"%s"}' % (KEYS[0].encode(), b"\xff"),
        b"[" * 5000 + b'"%s"' % KEYS[0].encode() + b"]" * 5000,
    ],
)
def test_what_cannot_be_cleaned_is_dropped(body: bytes) -> None:
    assert Mask(KEYS).document(body) == b""


def test_a_member_that_is_hidden_by_another_of_its_name_is_gone() -> None:
    body = b'{"error":{"message":"%s"},"error":{"message":"x"}}' % KEYS[0].encode()
    assert Mask(KEYS).document(body) == b'{"error":{"message":"x"}}'


def test_bytes_are_covered_in_their_length() -> None:
    data = b"data: %s %s\n\n" % (KEYS[0].encode(), KEYS[1].encode())
    assert Mask(KEYS).cover(data) == b"data: %s %s\n\n" % (b"*" * len(KEYS[0]), b"*" * len(KEYS[1]))


def test_without_keys_nothing_is_changed() -> None:
    said = f"ya29.0123456789abcdefgh {KEYS[0]}"
    assert not NOTHING
    assert (NOTHING.text(said), NOTHING.document(said.encode())) == (said, said.encode())
    assert (NOTHING.events(said.encode()), NOTHING.cover(said.encode())) == (said.encode(), said.encode())
    assert KEYS[0] not in repr(Mask(KEYS))


@given(st.lists(st.integers(0, 400), max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
def test_error_events_are_cleaned_wherever_they_are_cut(cuts: list[int], ending: str) -> None:
    error = json.dumps({"type": "error", "error": {"type": "x", "message": f"é key {KEYS[0]}"}})
    event = f"event: error\ndata: {error}\n: {KEYS[1]}\ndata: {KEYS[0]}\n\nevent: ping\ndata: {{}}\n\nrest {KEYS[1]}"
    data = event.replace("\n", ending).encode()
    stream = ErrorEvents(Mask(KEYS))
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    sent = b"".join(stream.feed(data[a:b], failed=True) for a, b in pairwise(edges)) + stream.rest()
    cleaned = '{"type":"error","error":{"type":"x","message":"é key [key]"}}'
    expected = f"event: error\ndata: {cleaned}\n: [key]\ndata: {{}}\n\nevent: ping\ndata: {{}}\n\nrest [key]"
    assert sent == expected.replace("\n", ending).encode()


def test_before_an_error_a_stream_is_passed_on_at_once() -> None:
    stream = ErrorEvents(Mask(KEYS))
    for piece in (b"data: {", b'"text":"an \\"error\\": {"}', b"\n", b'data: {"error":null}\n\n', b"data: half"):
        assert stream.feed(piece, failed=False) == piece
    assert stream.feed(KEYS[0].encode(), failed=False) == b"*" * len(KEYS[0])
    assert stream.feed(b'","error":{"message":"sk-proj-...9t0', failed=False) == b""
    assert stream.feed(b'"}}\n\n', failed=False) == b'","error":{"message":"[key]"}}\n\n'


def test_a_whole_answer_that_reports_an_error_is_cleaned_of_parts_of_keys_too() -> None:
    mask = Mask(KEYS)
    assert without_keys(b'{"error": {"message": "sk-proj-...9t0"}}', mask) == b'{"error":{"message":"[key]"}}'
    assert without_keys(b'{"a": "sk-proj-...9t0"}', mask) == b'{"a": "sk-proj-...9t0"}'
    assert without_keys(b'"error":{' + KEYS[0].encode(), mask) == b'"error":{' + b"*" * len(KEYS[0])


def test_an_event_without_an_end_is_not_held_forever() -> None:
    stream = ErrorEvents(Mask(KEYS))
    sent = sum(len(stream.feed(b"x" * 10_000, failed=True)) for _ in range(100))
    assert sent >= 900_000


_PIECES = ["sk-", "***a", "*", "...", "\\u0041", "\\\\", "%41", "&#65;", "&", "QUFB", "sk-proj-", "[", "sk-(", "\u2026"]
_PIECES += ["ya29.", KEYS[0][:19], KEYS[0][-19:], KEYS[0], "sk-" + "." * 600, '"' + KEYS[0] + '",']


@pytest.mark.parametrize("piece", _PIECES)
def test_the_cost_grows_with_the_text(piece: str) -> None:
    """Sixteen times the text takes at most about sixteen times the time; a square would be 256 times."""

    def cost(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        best = float("inf")
        for _ in range(2):
            began = time.process_time()
            Mask(KEYS).text(text)
            best = min(best, time.process_time() - began)
        return best

    assert cost(80_000) <= 64 * max(cost(5_000), 0.000_1)
