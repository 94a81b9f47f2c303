"""The locks agree with each other; what would make them lie is noticed."""

import pytest
from tools import lock

HASH = "--hash=sha256:" + "0" * 64
OTHER = "--hash=sha256:" + "1" * 64
PINS = f"a==1.0 \\\n    {HASH}\nb-c==2 ; sys_platform == 'win32' \\\n    {HASH}\n"
TEXTS = {item.path: lock.header(item) + PINS for item in lock.LOCKS}


def test_the_committed_locks_agree() -> None:
    assert lock.problems({item.path: (lock.ROOT / item.path).read_text() for item in lock.LOCKS}) == []


def test_the_proxy_lock_is_smaller_than_the_joint_one() -> None:
    proxy, joint = (lock.pins((lock.ROOT / path).read_text()) for path in ("locks/proxy.txt", lock.JOINT))
    assert {"litellm", "uvloop", "click"} <= set(proxy) < set(joint)
    assert not {"pytest", "anthropic", "langchain-core", "mypy"} & set(proxy)


def test_pins_are_read_with_their_own_hashes() -> None:
    found = lock.pins(f"a==1.0 \\\n    {HASH} \\\n    {OTHER}\n    # via b\nB.c==2 \\\n    {HASH}\n")
    assert found["a"] == lock.Pin("1.0", frozenset({HASH[7:], OTHER[7:]}))
    assert found["b.c"] == lock.Pin("2", frozenset({HASH[7:]}))


def test_locks_that_agree_are_fine() -> None:
    assert lock.problems(TEXTS) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"a==1.1 \\\n    {HASH}\n", "a has another version or other hashes"),
        (f"a==1.0 \\\n    {OTHER}\n", "a has another version or other hashes"),
        (f"d==1.0 \\\n    {HASH}\n", "d is not in locks/all.txt"),
        ("a==1.0\n", "a has no hash"),
        (f"litellm-enterprise==1 \\\n    {HASH}\n", "litellm-enterprise may not be shipped"),
        (PINS, "do not name the command"),
        (f"--index-url https://mirror.example/simple\na==1.0 \\\n    {HASH}\n", "names a registry host"),
    ],
)
def test_what_would_make_a_lock_lie_is_noticed(text: str, complaint: str) -> None:
    assert any(complaint in line for line in lock.problems({**TEXTS, "locks/proxy.txt": text}))


@pytest.mark.parametrize("item", lock.LOCKS, ids=lambda item: item.path)
def test_a_header_has_the_form_that_renovate_reads(item: lock.Lock) -> None:
    note, command = lock.header(item).splitlines()
    assert note.startswith("# ")
    assert command.startswith("#    uv pip compile ")
    options = [word for word in command.split() if word.startswith("-")]
    bare = {"--universal", "--generate-hashes"}
    valued = {"--python-version", "--constraints", "--no-emit-package", "--group", "--output-file"}
    assert {option for option in options if "=" not in option} == bare
    assert {option.partition("=")[0] for option in options if "=" in option} <= valued
    assert all((lock.ROOT / source).is_file() for source in item.sources if not source.startswith("-"))
