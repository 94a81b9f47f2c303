"""Rules, affinity and failover on a cluster, with the genuine Claude Code: who answers, and what its user sees."""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, Release, new_client
from tests.support.clients.scenarios import call
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import Kube, Manifest
from tests.support.processes import command
from tests.support.processes.gateway import documents

from claude_gateway.names import API_VERSION

NAME: Final = "routing"
PLACES: Final = ("one", "two", "three")
OPUS: Final = "claude-opus-5-5"
AGENTS: Final = 20
TURNS: Final = 50
KEYS: Final = {
    "ANTHROPIC_API_KEY": "sk-ant-e2e-routing-0123456789abcdef",
    "OPENAI_API_KEY": "sk-e2e-routing-0123456789abcdef",
}
OLD: Final = {
    "litellm": (
        "config.yaml",
        """
model_list:
  - model_name: big
    litellm_params: {model: anthropic/claude-opus-5-5, api_key: os.environ/ANTHROPIC_API_KEY, api_base: HERE}
  - model_name: small
    litellm_params: {model: openai/gpt-5.4-mini, api_key: os.environ/OPENAI_API_KEY, api_base: HERE/v1}
router_settings: {model_group_alias: {claude-big: big}}
general_settings: {master_key: sk-master-0123456789abcdef}
""",
        {"claude-big": "claude-opus-5-5", "small": "gpt-5.4-mini"},
    ),
    "env": (
        "proxy.env",
        "OPENAI_API_KEY=sk-e2e-routing-0123456789abcdef\nOPENAI_BASE_URL=HERE/v1\nPREFERRED_PROVIDER=openai\n"
        "BIG_MODEL=gpt-5.5\nSMALL_MODEL=gpt-5.4-mini\n",
        {"claude-sonnet-5-5": "gpt-5.5", "claude-haiku-4-5": "gpt-5.4-mini"},
    ),
    "ccr": (
        "config.json",
        """{"APIKEY": "a-key-for-our-clients-0123", "Providers": [
  {"name": "server", "api_base_url": "HERE/v1/chat/completions", "api_key": "$OPENAI_API_KEY", "models": ["m-1", "m-2"]}
], "Router": {"default": "server,m-1", "background": "server,m-2"}}""",
        {"claude-opus-5-5": "m-1", "claude-haiku-4-5": "m-2"},
    ),
}
"""Configurations of the projects that people come from: a file, and which model answers to which name."""


@dataclass(frozen=True, slots=True)
class Routing:
    """A release of its own, a pod with clients, and three upstreams that are alike."""

    release: Release
    upstreams: Mapping[str, kubepods.Upstream]

    @property
    def kube(self) -> Kube:
        """The cluster."""
        return self.release.kube

    @contextmanager
    def serving(self, *objects: Manifest) -> Iterator[None]:
        """Serve these objects, and nothing else, while the context lasts."""
        place = self.release.namespace
        names = [f"{each['kind'].lower()}/{each['metadata']['name']}" for each in objects]
        try:
            self.kube.apply(*objects, namespace=place)
            live = [name for name in names if name.startswith(("modelroute/", "claudecredential/"))]
            self.kube.wait(*live, condition="Programmed", namespace=place)
            for each in self.upstreams.values():
                each.forget()
            yield
        finally:
            self.kube.kubectl("delete", *names, "--ignore-not-found", "-n", place)

    def ask(self, *arguments: str, model: str = OPUS, home: str = "/home/client") -> dict[str, Any]:
        """Run the newest Claude Code and return its closing event, which must not be an error."""
        words = ("claude-newest", "-p", "--output-format", "json", "--model", model, *arguments)
        script = f"mkdir -p {home}; cd {home}; HOME={home} CLAUDE_CODE_GATEWAY_HINT_HEADERS=1 exec {shlex.join(words)}"
        done: dict[str, Any] = json.loads(kubepods.run(self.kube, NAME, "sh", "-c", script).splitlines()[-1])
        assert not done["is_error"], done
        return done

    def models(self, word: str) -> list[str]:
        """Return the models that requests with a word in them reached since the last call."""
        found = []
        for each in self.upstreams.values():
            found += [request.json["model"] for request in each.requests if word.encode() in request.body]
            each.forget()
        return found


@pytest.fixture(scope="module")
def routing(gateway: Gateway) -> Iterator[Routing]:
    """The release, with all that is needed beside it; removed afterwards, as the next file expects."""
    kube = gateway.kube
    release = Release(kube, name=NAME, namespace=NAME)
    kube.apply(*(each for name in PLACES for each in kubepods.target(name)))
    release.install()
    key = new_client(release, NAME)
    gateway.secrets.extend([key, *KEYS.values(), *release.own_secrets])
    kube.apply(*kubepods.client(NAME, url=release.url, key=key))
    kube.wait(f"gatewayclient/{NAME}", condition="Programmed", namespace=NAME)
    kube.wait(f"pod/{NAME}", condition="Ready", namespace=kubepods.CLIENTS)
    for name in PLACES:
        kube.rolled(name, namespace=kubepods.UPSTREAM)
    yield Routing(release, {name: kubepods.Upstream(kube, name) for name in PLACES})
    release.remove(NAME)
    kube.kubectl(
        "delete", *(f"{kind}/{name}" for kind in ("deployment", "service") for name in PLACES), "-n", kubepods.UPSTREAM
    )


def spread(**more: Any) -> Manifest:
    """Return a route to all three upstreams, in one tier unless ``priorities`` say otherwise."""
    priorities = more.pop("priorities", (0, 0, 0))
    targets = [
        {"model": "anthropic/scripted-claude", "baseURL": kubepods.target_url(name), "priority": priority}
        for name, priority in zip(PLACES, priorities, strict=True)
    ]
    spec = {"models": ["claude-*"], "targets": targets, **more}
    return {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": {"name": "claude"}, "spec": spec}


def example(name: str) -> list[Manifest]:
    """Return the objects of an example, with the keys of this run, and the first upstream as every vendor."""
    text = Path(f"examples/{name}/gateway.yaml").read_text()
    for variable, value in KEYS.items():
        text = text.replace(f"${variable}", value)
    found = documents(text)
    for each in found:
        if each["kind"] == "ClaudeCredential":
            key = each["spec"]["apiKey"]
            key["baseURL"] = kubepods.target_url("one") + ("" if key["provider"] == "anthropic" else "/v1")
    return found


def test_big_small_and_thinker(routing: Routing) -> None:
    with routing.serving(*example("big-small-thinker")):
        routing.ask("--effort", "low", "--", "hello")
        assert routing.models("hello") == ["gpt-5.4"]
        routing.ask("--effort", "xhigh", "--", "hello")
        assert routing.models("hello") == ["gpt-5.5"]
        routing.ask("hello", model="haiku")
        assert routing.models("hello") == ["gpt-5.4-mini"]


def test_a_compaction_goes_to_its_route(routing: Routing) -> None:
    home = "/home/client/compacting"
    with routing.serving(*example("chores")):
        routing.ask("hello", home=home)
        assert routing.models("hello") == [OPUS]
        routing.ask("--continue", "/compact", home=home)
        assert routing.models("detailed summary") == ["gpt-5.4-mini"]
        routing.ask("--continue", "and on", home=home)
        assert routing.models("and on") == [OPUS]


@pytest.mark.parametrize("project", OLD)
def test_an_imported_configuration_serves_the_same_prompts(routing: Routing, tmp_path: Path, project: str) -> None:
    name, text, models = OLD[project]
    (source := tmp_path / name).write_text(text.replace("HERE", kubepods.target_url("one")))
    done = command.call("import", project, source, "--secrets", tmp_path / "keys.env", environment=KEYS)
    assert done.code == 0, done
    written = (tmp_path / "keys.env").read_text() if (tmp_path / "keys.env").exists() else ""
    printed = done.stdout
    for variable, value in {**KEYS, **dict(line.split("=", 1) for line in written.splitlines() if "=" in line)}.items():
        printed = printed.replace(f"${variable}", value.strip("'\""))
    with routing.serving(*documents(printed)):
        for asked, answering in models.items():
            routing.ask("hello", model=asked)
            assert set(routing.models("hello")) == {answering}


def test_twenty_agents_spread_and_each_stays_where_it_is(routing: Routing) -> None:
    errand = {"subagent_type": "general-purpose", "run_in_background": False}
    prompt = " ".join(
        call("Agent", description=f"errand {n}", prompt=f"hello from errand {n}", **errand) for n in range(AGENTS)
    )
    with routing.serving(spread(affinity="Agent")):
        routing.ask("--allowedTools", "Agent", "--", prompt)
        reached: dict[str | None, set[str]] = defaultdict(set)
        for name, each in routing.upstreams.items():
            for request in each.requests:
                reached[request.header("x-claude-code-agent-id")].add(name)
    assert len(reached) == AGENTS + 1
    assert {len(places) for places in reached.values()} == {1}
    assert len(set().union(*reached.values())) > 1


def test_a_session_of_fifty_turns_stays_at_one_target(routing: Routing) -> None:
    words = ("session.py", OPUS, "printenv KEY", "600000", str(TURNS), "0")
    script = (
        f'export KEY="$ANTHROPIC_AUTH_TOKEN"; unset ANTHROPIC_AUTH_TOKEN; exec python /programs/{shlex.join(words)}'
    )
    with routing.serving(spread()):
        printed = kubepods.run(routing.kube, NAME, "sh", "-c", script)
        seen = {name: len(each.requests) for name, each in routing.upstreams.items()}
    assert json.loads(printed.splitlines()[-1]) == [f"echo: hello {number}" for number in range(TURNS)]
    assert sorted(seen.values())[:2] == [0, 0]
    assert sum(seen.values()) >= TURNS


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 529, "error_type": "overloaded_error"},
        {"midstream": "error", "midstream_after": 0, "error_type": "overloaded_error"},
    ],
)
def test_a_failure_before_the_answer_is_not_seen(routing: Routing, failure: Mapping[str, Any]) -> None:
    with routing.serving(spread(priorities=(0, 1, 2))):
        routing.upstreams["one"].script({**failure, "match": "hello"})
        assert routing.ask("hello")["result"] == "echo: hello"
        asked = {
            name: sum(b"hello" in request.body for request in each.requests) for name, each in routing.upstreams.items()
        }
    assert asked == {"one": 1, "two": 1, "three": 0}


def test_a_target_that_is_killed_under_load_costs_no_request(routing: Routing) -> None:
    group = Group("whole", routing.release.url, OPUS, workers=4, stream=False)
    with routing.serving(spread(affinity="None")), kubepods.Load(routing.kube, NAME, [group]) as load:
        load.wait_for_more(40)
        before = len(routing.upstreams["two"].requests)
        routing.kube.kubectl("delete", "pod", "-l", "app=two", "-n", kubepods.UPSTREAM, "--force", "--grace-period=0")
        load.wait_for_more(200)
    assert before > 0
    assert load.problems() == []
