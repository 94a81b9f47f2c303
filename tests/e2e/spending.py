"""A model whose answers cost a cent each, a budget for it, and what was served and counted of both."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from tests.e2e.pods.load import Answer, Group
from tests.e2e.release import Gateway, route
from tests.support.builders.objects import budget
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import Pod
from tests.support.processes.waiting import until

from claude_gateway.contract.budget import Period, window
from claude_gateway.names import ConditionType

MODEL: Final = "claude-priced"
COST: Final = Decimal("0.01")
"""What an answer costs in dollars: a hundred words."""
RESERVED: Final = Decimal("0.04")
"""What a request reserves: all the tokens that it allows."""
_PRICES: Final = {"input": "0", "output": "100"}
_BRIEF: Final = "[[words 100]]"
_SLOW: Final = "[[words 100]] [[pace 0.15]]"
_MOST: Final = 400


def url_of(pod: Pod) -> str:
    """Return the address of one pod's gateway."""
    return f"http://{pod.ip}:4000"


def asking(pod: Pod, *, workers: int = 1, rounds: int = 0, pause: float = 0.3) -> Group:
    """Return clients that ask one pod for answers of a cent."""
    return Group(pod.name, url_of(pod), MODEL, workers=workers, rounds=rounds, pause=pause, prompt=_BRIEF, most=_MOST)


def streaming(pod: Pod, *, workers: int) -> Group:
    """Return clients of one pod with a stream of some fifteen seconds each."""
    return Group(pod.name, url_of(pod), MODEL, workers=workers, stream=True, rounds=1, prompt=_SLOW, most=_MOST)


def served(answers: Sequence[Answer], group: str = "") -> Decimal:
    """Return what the whole answers cost, in one group or in all."""
    return COST * sum(answer.problem is None and group in ("", answer.group) for answer in answers)


@dataclass(frozen=True, slots=True)
class Pool:
    """A Budget of a release's client, in use."""

    gateway: Gateway
    name: str
    amount: Decimal

    def spent(self) -> set[Decimal]:
        """Return what was spent of it as the pods say: one sum if they agree."""
        gateway = self.gateway
        urls = [url_of(pod) for pod in gateway.release.pods()]
        found = kubepods.program(gateway.kube, gateway.pod, "usage.py", *urls)
        return {Decimal(budgets[f"{gateway.release.namespace}/{self.name}"]) for budgets in found.values()}

    def until_spent(self, sum_of_all: Decimal) -> None:
        """Wait until every pod says exactly this sum."""
        found: set[Decimal] = set()

        def agreed() -> bool:
            found.clear()
            found.update(self.spent())
            return found == {sum_of_all}

        until(agreed, timeout=60, what=f"{self.name} to be at {sum_of_all} on all pods")

    def ask(self, *groups: Group) -> list[Answer]:
        """Ask as the groups say, until all were answered."""
        with self.gateway.load(*groups) as load:
            return load.finish()

    def exhaust(self) -> list[Answer]:
        """Ask all pods at once until one of them says that the money is spent; until then they may only say to wait."""
        with self.gateway.load(*(asking(pod, workers=5) for pod in self.gateway.release.pods())) as load:
            until(lambda: any("billing_error" in (each.problem or "") for each in load.so_far), timeout=90)
        wrong = [text for text in load.problems() if "billing_error" not in text and "rate_limit_error" not in text]
        assert wrong == []
        return load.answers

    def assert_spent(self, spent: Decimal, *, processes: int = 1) -> None:
        """Check the bound and the status; ``spent`` is the sum of all, ``processes`` how many of them count apart."""
        assert self.amount <= spent < self.amount + processes * RESERVED
        kube, place = self.gateway.kube, self.gateway.release.namespace
        kube.until_condition("budget", ConditionType.SPENT, namespace=place, name=self.name, status="True")
        said = kube.get("budget", namespace=place, name=self.name)["status"]["budget"]
        assert Decimal(said["amount"]) == self.amount <= Decimal(said["spent"]) <= spent
        assert said["usedPercent"] >= 100
        assert datetime.fromisoformat(said["resetsAt"]).timestamp() == window(Period.MONTH, time.time()).ends_at


@contextmanager
def pool(gateway: Gateway, name: str, amount: str) -> Iterator[Pool]:
    """Put a budget and the priced model into use, and remove both afterwards."""
    kube, place = gateway.kube, gateway.release.namespace
    priced = route("priced", models=[MODEL], model="anthropic/priced", credential="anthropic", prices=_PRICES)
    limited = budget(name, amount=amount, namespace=place, clients=[gateway.pod], contact="ask Alice for more")
    kube.apply(priced, limited, namespace=place)
    gateway.wait_live("modelroute/priced", f"budget/{name}")
    yield Pool(gateway, name, Decimal(amount))
    kube.kubectl("delete", "modelroute/priced", f"budget/{name}", "-n", place)
