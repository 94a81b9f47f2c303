"""An estimate is rather too high, against the real tokenizers that LiteLLM brings."""

import base64
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.corpus import Recording, recordings
from tokenizers import Tokenizer

from claude_gateway_proxy.gateway.body import estimate
from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.body.parts import PAGE, PICTURE

_PROSE: Final = {
    "English": "Please check the source code and correct the mistakes that you find, then write thorough tests.",
    "German": "Bitte prüfe den Quelltext auf Fehler und schreibe anschließend ausführliche Tests für alle Randfälle.",
    "French": "Veuillez vérifier le code source, corriger les erreurs et écrire des tests détaillés, s'il vous plaît.",
    "Spanish": "Por favor, revisa el código fuente y escribe después pruebas detalladas para los casos límite.",
    "Polish": "Proszę sprawdzić kod źródłowy i napisać szczegółowe testy. Zażółć gęślą jaźń.",
    "Hungarian": "Kérem, ellenőrizze a forráskódot, és javítsa ki a talált hibákat. Árvíztűrő tükörfúrógép.",
    "Turkish": "Lütfen kaynak kodunu kontrol edin ve bulduğunuz hataları düzeltin.",  # noqa: RUF001 - a Turkish letter
    "Vietnamese": "Vui lòng kiểm tra mã nguồn và sửa các lỗi bạn tìm thấy.",
    "Russian": "Пожалуйста, проверьте исходный код и исправьте найденные ошибки.",
    "Greek": "Παρακαλώ ελέγξτε τον πηγαίο κώδικα και διορθώστε τα σφάλματα.",
    "Hebrew": "אנא בדוק את קוד המקור ותקן את השגיאות שתמצא.",
    "Arabic": "يرجى التحقق من الكود المصدري وتصحيح الأخطاء التي تجدها.",
    "Hindi": "कृपया स्रोत कोड की जाँच करें और जो त्रुटियाँ मिलें उन्हें ठीक करें।",
    "Thai": "กรุณาตรวจสอบซอร์สโค้ดและแก้ไขข้อผิดพลาดที่พบ",
    "Chinese": "请检查源代码并修复您发现的错误，然后为所有边界情况编写详细的测试。",  # noqa: RUF001 - Chinese
    "Japanese": "ソースコードを確認して、見つかったエラーを修正してください。",
    "Korean": "소스 코드를 확인하고 발견한 오류를 수정해 주세요.",
    "signs": "🎉🚀 done ✅ failed ❌ ⚠️ → ← │ ┌ ┐ └ ┘ █ ▒ • … “quotes” — dash",
}
_FILES: Final = ("pyproject.toml", "Makefile", "crds/modelroutes.yaml", "README.md", "locks/peer.txt")
_ROOT: Final = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def tokenizers() -> Mapping[str, Any]:
    """Functions that count, by name; LiteLLM has the tables in its wheel and says where."""
    import litellm.litellm_core_utils.default_encoding as defaults

    folder = Path(defaults.__file__).parent / "tokenizers"
    claude = Tokenizer.from_file(str(folder / "anthropic_tokenizer.json"))
    openai = {name: tiktoken.get_encoding(name) for name in ("cl100k_base", "o200k_base")}
    counts: dict[str, Any] = {
        name: lambda text, known=known: len(known.encode(text, disallowed_special=())) for name, known in openai.items()
    }
    return {**counts, "claude": lambda text: len(claude.encode(text).ids)}


def _random_texts() -> Iterator[tuple[str, str]]:
    chance = random.Random(7)
    data = chance.randbytes(2000)
    yield "base64", base64.b64encode(data).decode()
    yield "hex", data.hex()
    yield "digits", "".join(str(chance.randrange(10)) for _ in range(2000))
    yield "numbers", ", ".join(str(chance.random()) for _ in range(200))
    yield "letters", "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(2000))
    yield "printable", "".join(chr(chance.randrange(33, 127)) for _ in range(2000))
    lines = (
        f"2026-11-21T12:{n % 60:02}:07.123Z INFO id=req_{chance.getrandbits(64):016x} took={n}ms" for n in range(99)
    )
    yield "log", "\n".join(lines)


def _sources() -> list[tuple[str, str]]:
    prose = [(name, f"{text}\n" * 3) for name, text in _PROSE.items()]
    return [*prose, *((name, (_ROOT / name).read_text()[:20_000]) for name in _FILES), *_random_texts()]


@pytest.mark.parametrize(("name", "text"), _sources(), ids=lambda value: value if len(value) < 30 else "")
def test_a_text_is_never_estimated_too_low(tokenizers: Mapping[str, Any], name: str, text: str) -> None:
    real = max(count(text) for count in tokenizers.values())
    assert real <= estimate.text(text.encode()) + 2 <= 2 * real


_ODD: Final = {
    "dashes": "-" * 5000 + "\n",
    "one letter": "x" * 20_000,
    "spaces": "x" + " " * 5000,
    "contractions": "don't won't it's " * 300,
    "long names": "getUserNameFromHttpRequest UnsupportedOperationException " * 200,
    "blocks": "█" * 3000,
}


@pytest.mark.parametrize(("name", "text"), [*_sources(), *_ODD.items()], ids=lambda value: value[:20])
def test_a_text_has_at_least_as_many_tokens_as_is_said(tokenizers: Mapping[str, Any], name: str, text: str) -> None:
    assert estimate.least(text.encode()) <= min(count(text) for count in tokenizers.values())


def _said(value: object) -> Iterator[str]:
    """Every text that a model reads, in the plainest way to find them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _said(each)
    elif isinstance(value, dict) and value.get("type") != "redacted_thinking":
        for key, each in value.items():
            if key not in ("data", "signature", "cache_control", "type"):
                yield from _said(each)


def _bodies() -> list[Recording]:
    return [each for each in recordings() if "messages" in each.target and each.method == "POST"]


@pytest.mark.parametrize("version", sorted({each.version for each in _bodies()}))
def test_the_bodies_of_claude_code_are_estimated_within_the_bounds(tokenizers: Mapping[str, Any], version: str) -> None:
    bodies = [each for each in _bodies() if each.version == version]
    assert len(bodies) > 40
    for body in bodies:
        pictures = body.body.count(b'"type":"image"') * PICTURE
        tools = [json.dumps(tool, separators=(",", ":"), ensure_ascii=False) for tool in body.json.get("tools", [])]
        texts = [*_said(body.json.get("system")), *_said(body.json["messages"]), *tools]
        # Each text stands for itself, between two marks of the format.
        real = max(sum(count(text) + 2 for text in texts) for count in tokenizers.values()) + pictures
        found = estimate.tokens(body.body)
        assert real <= found <= 1.9 * real + 400, (str(body), real, found)
        fewest = min(sum(count(text) for text in texts) for count in tokenizers.values())
        assert estimate.measure(body.body).least <= fewest


def _request(*content: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": list(content)}]}).encode()


_NOTHING: Final = estimate.tokens(_request())
_PICTURE: Final = {"type": "base64", "media_type": "image/png", "data": "iVBOR" * 200_000}


@pytest.mark.parametrize(
    ("block", "least", "most"),
    [
        ({"type": "image", "source": _PICTURE}, 1600, 1600),
        ({"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}}, 1600, 1600),
        ({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": _PICTURE}]}, 1600, 1620),
        ({"type": "document", "source": {"type": "url", "url": "https://example.com/x.pdf"}}, 3000, 3010),
        ({"type": "document", "source": {"type": "text", "data": "word " * 1000}}, 980, 1100),
        ({"type": "document", "source": {"type": "base64", "data": "not base64!"}}, 3000, 3010),
        ({"type": "document", "source": None}, 0, 10),
        ({"type": "thinking", "thinking": "word " * 1000, "signature": "x" * 90_000}, 980, 1100),
        ({"type": "redacted_thinking", "data": "x" * 90_000}, 0, 0),
        ({"type": "tool_use", "id": "t", "name": "Read", "input": {"path": "word " * 1000}}, 980, 1150),
        ({"type": "something_new", "with": {"text": "word " * 1000}}, 980, 1150),
        ({"type": "text"}, 0, 0),
        ("text", 0, 5),
        (7, 0, 0),
    ],
)
def test_what_is_no_plain_text_counts_for_what_it_is(block: object, least: int, most: int) -> None:
    assert least <= estimate.tokens(_request(block)) - _NOTHING <= most


def test_a_pdf_counts_by_its_pages_or_by_its_size() -> None:
    def pdf(data: bytes) -> int:
        source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(data).decode()}
        return round((estimate.tokens(_request({"type": "document", "source": source})) - _NOTHING) / PAGE)

    assert pdf(b"%PDF-1.7 /Type /Pages /Type /Page x /Type/Page /Type  /Page") == 3
    assert pdf(b"%PDF-1.7" + bytes(40_000)) == 10


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": [{"role": "user", "content": "word " * 1000}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "word " * 1000}]}]},
        {"messages": [{"role": "tool", "tool_call_id": "c", "content": "word " * 1000}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "word " * 1000}}]}]},
        {"instructions": "word " * 1000, "input": "hello"},
        {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "word " * 1000}]}]},
        {"input": [{"type": "function_call", "name": "Read", "arguments": "word " * 1000}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": "word " * 1000}]},
        {"prompt": "word " * 1000},
        {"prompt": ["word " * 500, "word " * 500]},
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_request_of_any_format_is_read(request_: dict[str, Any]) -> None:
    found = estimate.measure(json.dumps({"model": "m", **request_}).encode())
    assert 1000 <= found.least <= 1010
    assert 980 <= found.tokens <= 1200


@pytest.mark.parametrize(
    ("part", "more"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBOR" * 9000}}, 1600),
        ({"type": "input_image", "image_url": "data:image/png;base64," + "iVBOR" * 9000}, 1600),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}, 3000),
        ({"type": "input_file", "file_id": "file-1"}, 3000),
        ({"type": "input_file", "file_data": "JVBERi0="}, 3000),
        ({"type": "file", "file": 7}, 3000),
        ({"type": ["odd"]}, 5),
    ],
    ids=lambda value: str(value)[:30],
)
def test_pictures_and_files_of_openais_clients_count_for_what_they_are(part: object, more: int) -> None:
    found = estimate.measure(_request(part))
    assert more <= found.tokens - _NOTHING + 5 <= more + 20
    assert found.least == 0


@pytest.mark.parametrize(
    ("more", "shortened"),
    [
        ({}, False),
        ({"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}, False),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, True),
        ({"context_management": {"edits": [{"type": "compact_20260112"}, 7]}}, True),
        ({"context_management": [{"type": "compaction"}]}, True),
        ({"context_management": {"odd": 1}}, False),
        ({"context_management": "odd"}, True),
        ({"truncation": "auto"}, True),
        ({"transforms": ["middle-out"]}, True),
    ],
    ids=str,
)
def test_nothing_is_certain_of_what_the_upstream_shortens(more: dict[str, Any], shortened: bool) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "word " * 100}], **more}
    assert (estimate.measure(json.dumps(body).encode()).least == 0) == shortened


def test_what_a_model_may_not_read_is_not_certain() -> None:
    for block in ({"type": "thinking", "thinking": "word " * 100}, {"type": "new", "text": "word " * 100}):
        found = estimate.measure(_request(block))
        assert (found.least, found.tokens > 100) == (0, True)
    tools = [{"name": "Read", "description": "word " * 1000, "defer_loading": True}]
    assert estimate.measure(json.dumps({"messages": [], "tools": tools}).encode()).least == 0


def test_of_a_huge_text_a_part_is_read_and_the_estimate_grows_with_it() -> None:
    once, twice = (estimate.measure(_request({"type": "text", "text": "word " * n})) for n in (900_000, 1_800_000))
    assert 1.9 < twice.tokens / once.tokens < 2.1
    assert once.least == twice.least


def test_tools_and_the_system_prompt_count() -> None:
    tool = {"name": "Read", "description": "word " * 1000, "input_schema": {"type": "object"}}
    plain = {"model": "m", "messages": []}
    assert estimate.tokens(json.dumps({**plain, "tools": [tool]}).encode()) > 980 + 350
    for system in ("word " * 1000, [{"type": "text", "text": "word " * 1000}]):
        assert estimate.tokens(json.dumps({**plain, "system": system}).encode()) > 980


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "content", "source", "data", "text", "role"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["messages", "system", "tools", "x"]), _JSON) | _JSON, st.booleans())
def test_whatever_comes_has_an_estimate(value: object, ascii_only: bool) -> None:
    assert estimate.tokens(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")) > 0


def test_a_hostile_depth_has_one_too() -> None:
    assert estimate.tokens(b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}") > 100_000
    assert estimate.tokens(b'{"messages":' + b'[{"content":' * 400 + b"1" + b"}]" * 400 + b"}") > 0


@given(st.lists(st.text(max_size=30), max_size=5))
def test_more_text_never_counts_less(texts: list[str]) -> None:
    counts = [estimate.text(" ".join(texts[:end]).encode("utf-8", "replace")) for end in range(len(texts) + 1)]
    assert counts == sorted(counts)


_WORDS: Final = "word " * 1000


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": [{"role": "user", "content": _WORDS}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": _WORDS}]}]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": _WORDS}}]}]},
        {"input": _WORDS},
        {"instructions": _WORDS, "input": []},
        {"prompt": [_WORDS]},
        {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": _WORDS}]}]},
        {"input": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": _WORDS}]}]},
        {"input": [{"type": "function_call", "arguments": _WORDS}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": _WORDS}]},
    ],
)
def test_the_words_of_every_format_count(request_: Mapping[str, Any]) -> None:
    assert 980 <= estimate.tokens(json.dumps({"model": "m", **request_}).encode()) <= 1150


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBOR" * 200_000}}, 1600),
        ({"type": "input_image", "image_url": "data:image/png;base64," + "iVBOR" * 200_000}, 1600),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}, 3000),
        ({"type": "file", "file": {"file_id": "f"}}, 3000),
        ({"type": "file", "file": "odd"}, 3000),
        ({"type": "input_file", "file_data": "data:application/pdf;base64,AAAA"}, 3000),
    ],
)
def test_pictures_and_files_of_openais_formats_count_as_pictures_and_pages(
    block: Mapping[str, Any], tokens: int
) -> None:
    assert estimate.tokens(_request(block)) - _NOTHING == tokens


_LEAVES = st.text() | st.integers() | st.none() | st.booleans() | st.sampled_from(["\u00e9" * 9, "aB" * 9, "\n" * 9])
_PARTS = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["content", "text", "source", "data", "x"]), inner, max_size=3)
        | st.tuples(
            st.sampled_from(["text", "image", "document", "file", "input_image", "tool_use", "new"]), inner
        ).map(lambda pair: {"type": pair[0], "content": pair[1], "text": pair[1], "input": pair[1]})
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["messages", "system", "input", "tools"]), _PARTS), st.booleans())
def test_the_bound_from_the_size_is_never_too_low(request_: Mapping[str, Any], escaped: bool) -> None:
    body = json.dumps({"model": "m", **request_}, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    most = estimate.at_most(body)
    assert most is None or estimate.tokens(body) <= most


def test_a_hidden_word_is_not_bounded() -> None:
    plain = b'{"messages":[{"role":"user","content":[%s]}]}'
    block = b'{"type":"i\\u006dage"}'
    assert estimate.at_most(plain % block) is None
    assert estimate.tokens(plain % b",".join([block] * 99)) > 99 * 1600


@pytest.mark.parametrize(
    "block",
    [
        b'{"type":"image","source":{"type":"base64","media_type":"image/png","data":"%s"}}',
        b'{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}',
    ],
)
def test_a_picture_does_not_cost_its_bytes_even_roughly(block: bytes) -> None:
    def asked(block: bytes) -> bytes:
        return b'{"model":"c","messages":[{"role":"user","content":[%s]}]}' % block

    picture = asked(block % (b"A" * 300_000))
    text = asked(b'{"type":"text","text":"%s"}' % (b"word " * 60_000))
    assert estimate.roughly(picture) is None
    assert Facts(parse(picture), []).rough_tokens < 10_000
    assert Facts(parse(text), []).rough_tokens == len(text) // 3
