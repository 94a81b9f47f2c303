"""The pod's metrics page: the agent's own families and those of the other processes."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from claude_gateway import metric_names
from claude_gateway.contract.report import PodReport
from claude_gateway_proxy.agent import exposition
from claude_gateway_proxy.agent.keeper import Keeper
from claude_gateway_proxy.agent.processes import Process
from claude_gateway_runtime.tasks import running_tasks

AGENT: Final = "agent"


def own_families(*, keeper: Keeper, report: PodReport, up: Mapping[str, bool]) -> Iterable[Metric]:
    """The agent's families; ``up`` says for each process by name whether its metrics could be read."""
    labels = [exposition.LABEL]
    running = GaugeMetricFamily(
        metric_names.PROCESS_UP, "Whether the metrics of the process could be read for this page.", labels=labels
    )
    for name, answered in {AGENT: True, **up}.items():
        running.add_metric([name], float(answered))
    yield running
    if keeper.kept.revision is not None:
        info = GaugeMetricFamily(
            metric_names.CONFIG_INFO, "Always 1; the revision that the process holds.", labels=[*labels, "revision"]
        )
        info.add_metric([AGENT, keeper.kept.revision], 1)
        yield info
    yield GaugeMetricFamily(
        metric_names.CONFIG_IN_SYNC,
        "Whether gateway and LiteLLM worker both serve the newest revision that the source offered.",
        value=float(report.live is not None and report.live == report.wanted),
    )
    swaps = CounterMetricFamily(metric_names.CONFIG_SWAPS, "Bundles swapped into the run directory.", labels=labels)
    swaps.add_metric([AGENT], keeper.swaps)
    yield swaps
    errors = CounterMetricFamily(metric_names.CONFIG_ERRORS, "Bundles refused.", labels=labels)
    errors.add_metric([AGENT], keeper.refusals)
    yield errors
    tasks = GaugeMetricFamily(metric_names.TASKS, "Unfinished asyncio tasks of the process.", labels=labels)
    tasks.add_metric([AGENT], running_tasks())
    yield tasks


class _Families(Collector):
    """The merged families of one page."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


async def page(*, keeper: Keeper, report: PodReport, processes: Sequence[Process]) -> str:
    """Return the whole pod's metrics; a process that does not answer is left out and reported as down."""
    pages = await asyncio.gather(*(process.metrics() for process in processes))
    up = {process.name: families is not None for process, families in zip(processes, pages, strict=True)}
    registry = CollectorRegistry()
    registry.register(_Families(list(own_families(keeper=keeper, report=report, up=up))))
    ProcessCollector(registry=registry)
    own = exposition.parse(generate_latest(registry).decode(), process=AGENT)
    found = [(process.name, families) for process, families in zip(processes, pages, strict=True) if families]
    return exposition.merge([(AGENT, own), *found])
