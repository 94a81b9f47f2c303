"""Keeping the last good bundle, whatever the source offers."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import SCHEMA, Bundle, BundleError, Packed, pack, secret_entry, unpack
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.route import Match, Route, RouteRule
from claude_gateway.contract.target import Target
from claude_gateway.names import META_JSON
from claude_gateway_proxy.agent.keeper import Keeper, verify
from claude_gateway_proxy.agent.source import Offer

KEY = b"sk-very-secret-value"


def _bundle(route: str, *, with_secret: bool = True) -> Bundle:
    entry = secret_entry("default.key", KEY)
    target = Target(id=f"default/{route}/0.abcdef01", provider="openai", model="m", secret=entry)
    policy = Policy(routes=(Route(name=f"default/{route}", models=(route,), targets=(target,)),))
    return Bundle(
        gateway=policy.model_dump_json(by_alias=True).encode(),
        litellm=b"model_list: []\n",
        secrets={entry: KEY} if with_secret else {},
    )


def _offer(bundle: Bundle) -> Offer:
    return Offer(revision=bundle.meta.revision, packed=pack(bundle))


@dataclass
class ManualSource:
    """A source under the test's control."""

    offer: Callable[[Offer], None] = field(init=False)
    running: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, offer: Callable[[Offer], None]) -> None:
        self.offer = offer
        self.running.set()
        await asyncio.Event().wait()


@dataclass
class RunningKeeper:
    """A keeper that runs, its source, and a queue of its changes."""

    keeper: Keeper
    source: ManualSource
    news: asyncio.Queue[None]

    async def take(self, offer: Offer) -> None:
        """Offer something and wait for what the keeper says of it."""
        self.source.offer(offer)
        await asyncio.wait_for(self.news.get(), 10)


@asynccontextmanager
async def _running(path: Path) -> AsyncIterator[RunningKeeper]:
    news: asyncio.Queue[None] = asyncio.Queue()
    keeper = Keeper(path, changed=lambda: news.put_nowait(None))
    source = ManualSource()
    task = asyncio.create_task(keeper.run(source))
    await source.running.wait()
    try:
        yield RunningKeeper(keeper, source, news)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_good_bundle_is_written_whole(tmp_path: Path) -> None:
    async with _running(tmp_path) as running:
        await running.take(_offer(_bundle("a")))

        kept = running.keeper.kept
        assert kept.revision == kept.wanted == folder.current(tmp_path) == _bundle("a").meta.revision
        assert kept.error is None
        assert unpack(folder.read(tmp_path, kept.revision)) == _bundle("a")
        assert (running.keeper.swaps, running.keeper.refusals) == (1, 0)


def _torn(bundle: Bundle) -> Packed:
    return replace(pack(bundle), secrets={})


def _changed(bundle: Bundle) -> Packed:
    packed = pack(bundle)
    return replace(packed, config={**packed.config, "gateway.json": b"{}"})


def _too_new(bundle: Bundle) -> Packed:
    return pack(replace(bundle, schema_version=SCHEMA + 1))


def _meta_gone(bundle: Bundle) -> Packed:
    packed = pack(bundle)
    return replace(packed, config={name: data for name, data in packed.config.items() if name != META_JSON})


def _unreadable_policy(bundle: Bundle) -> Packed:
    return pack(replace(bundle, gateway=b'{"routes": [{"name": "sk-in-a-wrong-place"}]}'))


def _secret_left_out(bundle: Bundle) -> Packed:
    return pack(replace(bundle, secrets={}))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_torn, r"entry default\.key\.[0-9a-f]{8} of the secret part is missing"),
        (_changed, r"gateway\.json does not match its checksum"),
        (_too_new, rf"schema version {SCHEMA + 1} is not supported"),
        (_meta_gone, r"meta\.json is missing"),
        (_unreadable_policy, r"gateway\.json cannot be read: routes\.0\.models: Field required"),
        (_secret_left_out, r"gateway\.json names the secret entry default\.key\.[0-9a-f]{8}, which"),
    ],
)
async def test_a_bad_bundle_leaves_the_last_good_one_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Bundle], Packed], reason: str
) -> None:
    caplog.set_level(logging.INFO)
    good = _bundle("a").meta.revision
    async with _running(tmp_path) as running:
        await running.take(_offer(_bundle("a")))
        await running.take(Offer(revision="feed", packed=spoil(_bundle("b"))))

        kept = running.keeper.kept
        assert (kept.revision, kept.wanted) == (good, "feed")
        assert kept.error is not None
        with pytest.raises(BundleError, match=reason):
            raise BundleError(kept.error)
        assert folder.current(tmp_path) == good
        assert running.keeper.refusals == 1

        await running.take(_offer(_bundle("b")))
        assert running.keeper.kept.revision == _bundle("b").meta.revision
        assert running.keeper.kept.error is None
    said = json.dumps([{**vars(record)} for record in caplog.records], default=str)
    assert "bundle_refused" in said
    assert KEY.decode() not in said
    assert "sk-in-a-wrong-place" not in said


async def test_the_same_bad_bundle_again_is_no_news(tmp_path: Path) -> None:
    async with _running(tmp_path) as running:
        bad = Offer(revision="feed", packed=_torn(_bundle("b")))
        await running.take(bad)
        running.source.offer(bad)
        await running.take(_offer(_bundle("a")))

        assert running.keeper.refusals == 1
        assert running.news.empty()


async def test_the_last_good_one_outlives_the_agent(tmp_path: Path) -> None:
    async with _running(tmp_path) as running:
        await running.take(_offer(_bundle("a")))

    async with _running(tmp_path) as running:
        assert running.keeper.kept.revision == _bundle("a").meta.revision
        await running.take(Offer(error="the source cannot be read: it is gone"))
        assert running.keeper.kept.revision == folder.current(tmp_path) == _bundle("a").meta.revision
        assert running.keeper.kept.error == "the source cannot be read: it is gone"
        assert running.keeper.refusals == 0


async def test_a_damaged_bundle_of_an_earlier_run_is_written_again(tmp_path: Path) -> None:
    revision = folder.write(tmp_path, _bundle("a"))
    (tmp_path / "revisions" / revision / "config" / "gateway.json").write_bytes(b"{")

    async with _running(tmp_path) as running:
        assert running.keeper.kept.revision is None
        await running.take(_offer(_bundle("a")))
        assert unpack(folder.read(tmp_path, revision)) == _bundle("a")


async def test_what_the_file_system_refuses_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    async with _running(path) as running:
        blocked = path / "revisions"
        blocked.write_text("a file where a folder must be")
        await running.take(_offer(_bundle("a")))
        assert running.keeper.kept.error is not None
        assert "the bundle cannot be written" in running.keeper.kept.error

        blocked.unlink()
        await asyncio.wait_for(running.news.get(), 10)
        assert running.keeper.kept.revision == folder.current(path) == _bundle("a").meta.revision


async def test_only_the_newest_of_many_offers_is_kept(tmp_path: Path) -> None:
    async with _running(tmp_path) as running:
        for number in range(50):
            running.source.offer(_offer(_bundle(f"r{number}")))
        await asyncio.wait_for(running.news.get(), 10)

        assert running.keeper.kept.revision == _bundle("r49").meta.revision
        assert running.keeper.swaps == 1


def test_verify_gives_only_what_the_bundle_needs() -> None:
    packed = pack(_bundle("a"))
    extra = replace(packed, secrets={**packed.secrets, "other.12345678": b"not asked for"})

    assert verify(extra) == _bundle("a")


def test_verify_asks_for_the_secrets_of_rules() -> None:
    there = Target(id="default/a/one.0.abcdef01", provider="openai", model="m", secret="default.key.00000000")
    rules = (RouteRule(name="one", match=Match(images=True), targets=(there,)),)
    policy = Policy(routes=(Route(name="default/a", models=("a",), targets=(), rules=rules),))
    bundle = Bundle(gateway=policy.model_dump_json(by_alias=True).encode(), litellm=b"")
    with pytest.raises(BundleError, match=r"default\.key\.00000000"):
        verify(pack(bundle))
