"""Leases never add up to more than what is left, whatever pods do, and whoever needs one gets it while there is one."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.allotment import Allotments, read, read_part
from claude_gateway.contract.budget import Budget, Period, Spending, window
from claude_gateway.contract.report import BudgetUse, ProcessReport
from claude_gateway.plan.budgets.division import Division, PodUse, divide, pod_use

NOW = 1_800_000_000.0
BUDGET = Budget(name="ns/all", amount=1000, period=Period.DAY)
TODAY = window(Period.DAY, NOW)
TOMORROW = window(Period.DAY, TODAY.ends_at)


def using(pod: str, spent: int = 0, *, lease: int = 0, short: int = 0, drained: bool = False, **fields: int) -> PodUse:
    use = BudgetUse(budget="ns/all", window=TODAY.key, spent=spent, used=spent, lease=lease, short=short)
    return pod_use(pod, ProcessReport(budgets=(use.model_copy(update=dict(fields)),), drained=drained))


def divided(*pods: PodUse, before: Allotments | None = None, spent: int | None = None, amount: int = 1000) -> Division:
    known = {} if spent is None else {"ns/all": Spending(TODAY, spent)}
    budget = BUDGET.model_copy(update={"amount": amount})
    return divide([budget], pods, before or Allotments(), now=NOW, known=known)


def lease(found: Division, pod: str, key: str = TODAY.key) -> int:
    return found.allotments.of(pod).leases.get("ns/all", {}).get(key, 0)


def test_half_is_given_in_equal_parts_and_half_is_kept_back() -> None:
    found = divided(PodUse("a"), PodUse("b"))
    assert (lease(found, "a"), lease(found, "b")) == (250, 250)
    assert (lease(found, "a", TOMORROW.key), found.allotments.pods) == (250, 2)
    assert found.spending == {"ns/all": Spending(TODAY, 0)}


def test_a_pod_that_needs_more_gets_it_from_the_rest() -> None:
    before = divided(PodUse("a"), PodUse("b")).allotments
    found = divided(using("a", 250, lease=250, short=400), using("b", lease=250), before=before)
    assert lease(found, "a") == 650
    assert found.spending["ns/all"].spent == 250


def test_what_others_do_not_use_is_taken_back_once_they_say_so() -> None:
    before = Allotments(pods=2, leases={"a": {"ns/all": {TODAY.key: 500}}, "b": {"ns/all": {TODAY.key: 500}}})
    needs = using("a", 500, lease=500, short=300)
    first = divided(needs, using("b", lease=500), before=before)
    assert (lease(first, "a"), lease(first, "b")) == (500, 125), "the other pod may still spend its old lease"
    second = divided(needs, using("b", lease=125), before=first.allotments)
    assert lease(second, "a") == 800


def test_the_lease_of_a_pod_that_is_gone_counts_as_spent() -> None:
    before = divided(PodUse("a"), PodUse("b")).allotments
    found = divided(using("a", 10, lease=250), before=before)
    assert found.spending["ns/all"].spent == 260
    assert found.allotments.gone == {"ns/all": {TODAY.key: 250}}, "of a window that has not begun, nothing is lost"
    again = divided(using("a", 10, lease=250), before=found.allotments)
    assert again.spending["ns/all"].spent == 260, "it is counted once"


def test_a_pod_that_ended_in_order_gives_back_what_it_did_not_spend() -> None:
    before = divided(PodUse("a"), PodUse("b")).allotments
    left = pod_use("b", ProcessReport(budgets=tuple(using("b", 30).uses.values()), drained=True), there=False)
    assert divided(using("a", 10), left, before=before).spending["ns/all"].spent == 40
    broken = pod_use("b", ProcessReport(budgets=tuple(using("b", 30).uses.values())), there=False)
    assert divided(using("a", 10), broken, before=before).spending["ns/all"].spent == 260


def test_where_the_division_is_lost_the_status_says_what_was_spent() -> None:
    assert divided(PodUse("a"), spent=700).spending["ns/all"].spent == 700
    assert divided(using("a", 200), spent=700).spending["ns/all"].spent == 700
    yesterday = Spending(window(Period.DAY, NOW - 86400), 700)
    found = divide([BUDGET], [PodUse("a")], Allotments(), now=NOW, known={"ns/all": yesterday})
    assert found.spending["ns/all"].spent == 0


def test_a_store_that_counts_for_all_pods_is_believed() -> None:
    found = divided(using("a", 10, total=90), using("b", 10, total=80))
    assert found.spending["ns/all"].spent == 90
    assert found.allotments.of("a").counted


def test_what_a_store_counted_stays_spent_when_it_forgets_and_when_every_pod_is_gone() -> None:
    before = divided(using("a", 10, total=90), using("b", 10, total=80)).allotments
    empty = divided(using("c", 0, total=0), before=before)
    assert empty.spending["ns/all"].spent == 90
    nobody = divided(before=before)
    assert nobody.spending["ns/all"].spent == 90, "a store has no leases that are not reported"
    assert nobody.allotments.counted
    assert divided(using("c", 0, total=0), spent=70).spending["ns/all"].spent == 70, "without a ConfigMap"


def test_what_a_pod_owed_to_the_store_when_it_was_killed_counts_with_its_lease() -> None:
    before = divided(using("a", total=0), using("b", total=0)).allotments
    # The store is away: of 90 it knows 50.
    before = divided(
        using("a", 10, lease=250, total=60), using("b", 90, lease=250, total=60, owed=40), before=before
    ).allotments
    lost = before.leases["b"]["ns/all"][TODAY.key] - 50
    dead = pod_use(
        "b", ProcessReport(budgets=tuple(using("b", 90, lease=250, total=60, owed=40).uses.values())), there=False
    )
    found = divided(using("a", 10, lease=250, total=60), dead, before=before)
    assert found.allotments.of("a").unstored == {"ns/all": {TODAY.key: lost}}
    assert found.allotments.spent == {"ns/all": {TODAY.key: 60}}, "the store counts what it was sent"
    assert found.spending["ns/all"].spent == 60 + lost
    again = divided(using("a", 20, lease=250, total=70), before=found.allotments)
    assert again.spending["ns/all"].spent == 70 + lost, "it is counted once"
    assert divided(using("a", 20), before=found.allotments).allotments.unstored == {}, "without a store, leases count"


def test_what_a_pod_owed_to_the_store_when_it_ended_in_order_counts_as_it_is() -> None:
    last = using("b", 90, lease=250, total=60, owed=40, drained=True)
    left = pod_use("b", ProcessReport(budgets=tuple(last.uses.values()), drained=True), there=False)
    found = divided(using("a", 10, lease=250, total=60), left)
    assert found.spending["ns/all"].spent == 100
    owes_nothing = using("b", 90, lease=250, total=60)
    dead = pod_use("b", ProcessReport(budgets=tuple(owes_nothing.uses.values())), there=False)
    assert divided(using("a", 10, lease=250, total=60), dead).spending["ns/all"].spent == 60


def test_without_its_store_what_pods_report_counts_again() -> None:
    before = divided(using("a", 10, total=90)).allotments
    found = divided(using("a", 10), before=before)
    assert (found.spending["ns/all"].spent, found.allotments.counted) == (10, False)


def test_a_lower_amount_takes_leases_back() -> None:
    before = divided(PodUse("a"), PodUse("b")).allotments
    found = divided(using("a", 240, lease=250), using("b", lease=250), before=before, amount=250)
    assert (lease(found, "a"), lease(found, "b")) == (242, 2)


def test_without_budgets_or_pods_nothing_is_divided() -> None:
    assert divide([], [PodUse("a")], Allotments(), now=NOW, known={}).allotments == Allotments(leases={"a": {}})
    nobody = divide([BUDGET], [], Allotments(), now=NOW, known={}).allotments
    assert nobody == Allotments(gone={"ns/all": {TODAY.key: 0}}), "today has begun"
    assert divide([], [], Allotments(), now=NOW, known={}).spending == {}
    assert pod_use("a", None) == PodUse("a")


def test_what_cannot_be_read_is_none() -> None:
    whole = Allotments(pods=2, leases={"a": {"ns/all": {"w": 5}}}, gone={}, spent={"ns/all": {"w": 7}})
    assert read(whole.model_dump_json(by_alias=True).encode()) == whole
    assert read_part(whole.of("a").model_dump_json(by_alias=True).encode()) == whole.of("a")
    assert read(b"{") is None
    assert read_part(b'{"pods": "many"}') is None


def member(pod: str, spent: int, *, there: bool = True, budget: str = "ns/all", key: str = TODAY.key) -> PodUse:
    use = BudgetUse(budget=budget, window=key, member="ns:alice", spent=spent, used=spent)
    return pod_use(pod, ProcessReport(budgets=(use,)), there=there)


def test_what_one_person_spent_on_all_pods_is_added_up() -> None:
    found = divided(member("a", 10), member("b", 5), member("c", 7, key="0-1"), member("d", 9, budget="ns/none"))
    assert found.allotments.spent["ns/all#ns:alice"] == {TODAY.key: 15}
    assert found.spending["ns/all"].spent == 0, "the whole is reported by itself"
    left = divided(member("a", 12), member("b", 5, there=False), before=found.allotments)
    assert left.allotments.spent["ns/all#ns:alice"] == {TODAY.key: 17}
    assert left.allotments.gone["ns/all#ns:alice"] == {TODAY.key: 5}
    later = divided(member("a", 13), before=left.allotments)
    assert later.allotments.spent["ns/all#ns:alice"] == {TODAY.key: 18}
    stale = Allotments(gone={"ns/all#ns:bob": {"0-1": 4}, "ns/none#ns:bob": {TODAY.key: 4}})
    assert "ns/all#ns:bob" not in divided(before=stale).allotments.gone


HOURLY = Budget(name="ns/all", amount=1000, period=Period.HOUR)
HOUR = window(Period.HOUR, NOW)


def hourly(*pods: PodUse, before: Allotments, hours: int, forgotten: tuple[str, ...] = ()) -> Division:
    return divide([HOURLY], pods, before, now=NOW + hours * 3600, known={}, forgotten=forgotten)


def in_hour(pod: str, spent: int, *, lease: int, short: int = 0) -> PodUse:
    use = BudgetUse(budget="ns/all", window=HOUR.key, spent=spent, used=spent, lease=lease, short=short)
    return pod_use(pod, ProcessReport(budgets=(use,)))


@pytest.mark.parametrize("hours", [1, -1, 24, -24])
def test_a_clock_that_jumps_and_comes_back_gives_no_money_out_twice(hours: int) -> None:
    before = hourly(PodUse("a"), PodUse("b"), before=Allotments(), hours=0).allotments
    before = hourly(in_hour("a", 200, lease=250), in_hour("b", 100, lease=250), before=before, hours=0).allotments
    # The clock jumps, and one pod is killed meanwhile.
    lost = before.leases["b"]["ns/all"][HOUR.key]
    away = hourly(in_hour("a", 200, lease=250), before=before, hours=hours).allotments
    assert away.gone["ns/all"][HOUR.key] == lost
    assert away.of("a").spent["ns/all"][HOUR.key] == 200 + lost
    back = hourly(in_hour("a", 200, lease=250), PodUse("c"), before=away, hours=0)
    assert back.allotments.gone["ns/all"][HOUR.key] == lost
    assert back.spending["ns/all"].spent == 200 + lost
    assert sum(lease(back, pod, HOUR.key) for pod in "ac") <= 1000 - lost


def test_pods_get_money_of_their_own_time_while_the_clock_is_wrong() -> None:
    before = hourly(PodUse("a"), before=Allotments(), hours=0).allotments
    away = hourly(in_hour("a", 500, lease=500, short=200), before=before, hours=1)
    assert lease(away, "a", HOUR.key) == 750
    assert away.spending["ns/all"].spent == 0, "the status is about the time of the clock"


def test_a_window_that_is_over_keeps_its_leases_until_it_is_forgotten() -> None:
    before = hourly(PodUse("a"), PodUse("b"), before=Allotments(), hours=0).allotments
    before = hourly(in_hour("a", 200, lease=250), in_hour("b", 0, lease=250), before=before, hours=0).allotments
    leases = [before.leases[pod]["ns/all"][HOUR.key] for pod in "ab"]
    over = hourly(PodUse("a"), PodUse("b"), before=before, hours=1)
    assert [lease(over, pod, HOUR.key) for pod in "ab"] == leases, "they report it no more"
    drained = pod_use("b", ProcessReport(drained=True), there=False)
    assert hourly(PodUse("a"), drained, before=before, hours=1).allotments.gone["ns/all"][HOUR.key] == leases[1]
    assert over.allotments.spent["ns/all"][HOUR.key] == 200
    later = hourly(PodUse("a"), PodUse("b"), before=over.allotments, hours=1, forgotten=(HOUR.key,)).allotments
    assert all(HOUR.key not in windows for windows in (*later.leases["a"].values(), *later.gone.values()))


def test_of_many_windows_those_that_began_are_held() -> None:
    found = hourly(in_hour("a", 5, lease=5), before=Allotments(), hours=0).allotments
    for jump in range(2, 40, 2):
        found = hourly(in_hour("a", 5, lease=5), before=found, hours=jump).allotments
    assert len(found.leases["a"]["ns/all"]) <= 6
    daily = divide([BUDGET], [in_hour("a", 5, lease=5)], found, now=NOW, known={}).allotments
    assert set(daily.leases["a"]["ns/all"]) == {TODAY.key, TOMORROW.key}, "another period begins with nothing"
    odd = Allotments(gone={"ns/all": {"x": 5, "7": 5, "3-9": 5}})
    assert set(divide([BUDGET], [], odd, now=NOW, known={}).allotments.gone["ns/all"]) == {TODAY.key}


def test_a_pod_that_is_silent_keeps_its_lease_however_often_others_need_more() -> None:
    before = Allotments(pods=2, leases={"a": {"ns/all": {TODAY.key: 700}}, "b": {"ns/all": {TODAY.key: 200}}})
    for _ in range(3):
        found = divided(PodUse("a"), using("b", 200, lease=200, short=500), before=before)
        before = found.allotments
    assert (lease(found, "a"), lease(found, "b")) == (700, 300)


@pytest.mark.parametrize("hours", [1, -1])
def test_what_a_person_spent_on_a_pod_that_is_gone_outlasts_a_jump(hours: int) -> None:
    def person(pod: str, spent: int, *, there: bool = True) -> PodUse:
        return member(pod, spent, there=there, key=HOUR.key)

    before = hourly(person("a", 10), person("b", 5), before=Allotments(), hours=0).allotments
    away = hourly(person("a", 10), person("b", 5, there=False), before=before, hours=hours).allotments
    back = hourly(person("a", 11), before=away, hours=0).allotments
    assert back.spent["ns/all#ns:alice"] == {HOUR.key: 16}


@dataclass
class Pod:
    """A gateway that spends at most its lease."""

    lease: int = 0
    spent: int = 0
    short: int = 0


@dataclass
class Fleet:
    """Pods, whose clocks are right, and what the operator knows of them."""

    pods: dict[str, Pod] = field(default_factory=dict)
    reported: dict[str, PodUse] = field(default_factory=dict)
    written: Allotments = field(default_factory=Allotments)
    spent: int = 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "kill", "spend", "report", "divide", "follow", "restart"]),
        st.sampled_from("abcd"),
        st.integers(1, 600),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_the_pods_never_spend_more_than_the_amount(steps: list[tuple[str, str, int]]) -> None:
    fleet = Fleet()
    for step, name, amount in steps:
        pod = fleet.pods.get(name)
        if step == "start":
            fleet.pods.setdefault(name, Pod())
        elif step == "divide":
            seen = [fleet.reported.get(each, PodUse(each)) for each in fleet.pods]
            fleet.written = divide([BUDGET], seen, fleet.written, now=NOW, known={}).allotments
        elif step == "restart":
            # The operator forgets what it heard; what it wrote stays.
            fleet.reported.clear()
        elif pod is None:
            continue
        elif step == "kill":
            # A pod of the same name never comes again.
            del fleet.pods[name]
            fleet.reported.pop(name, None)
            fleet.pods[f"{name}+"] = Pod()
        elif step == "spend":
            cost = min(amount, pod.lease - pod.spent)
            pod.short = max(0, amount - cost)
            pod.spent += max(0, cost)
            fleet.spent += max(0, cost)
        elif step == "report":
            fleet.reported[name] = using(name, pod.spent, lease=pod.lease, short=pod.short)
        elif step == "follow":
            pod.lease = fleet.written.of(name).leases.get("ns/all", {}).get(TODAY.key, 0)
        assert fleet.spent <= BUDGET.amount


TICKS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, -1, 30]),
        st.sampled_from(["start", "kill", "spend", "silent"]),
        st.sampled_from("ab"),
        st.integers(1, 600),
    ),
    max_size=20,
)


@given(TICKS)
def test_whatever_the_clock_of_the_operator_says_the_pods_never_spend_more(
    ticks: list[tuple[int, str, str, int]],
) -> None:
    """The clock, in days ahead, may be another one at each division; those of the pods are right."""
    written = divide([BUDGET], [], Allotments(), now=NOW, known={}).allotments
    pods: dict[str, Pod] = {}
    spent = 0
    for number, (ahead, step, name, amount) in enumerate(ticks):
        found = next((each for each in pods if each.startswith(name)), None)
        if step == "start" and found is None:
            pods[f"{name}{number}"] = Pod()
        elif found is not None and step == "kill":
            del pods[found]
        elif found is not None and step == "spend":
            pod = pods[found]
            cost = max(0, min(amount, pod.lease - pod.spent))
            pod.short = amount - cost
            pod.spent += cost
            spent += cost
        silent = {found} if step == "silent" else set()
        seen = [
            PodUse(each) if each in silent else using(each, pod.spent, lease=pod.lease, short=pod.short)
            for each, pod in pods.items()
        ]
        written = divide([BUDGET], seen, written, now=NOW + ahead * 86_400, known={}).allotments
        for each, pod in pods.items():
            pod.lease = written.of(each).leases.get("ns/all", {}).get(TODAY.key, pod.lease)
        assert spent <= BUDGET.amount


@given(st.integers(1, 8), st.integers(1, 1000))
def test_while_there_is_a_rest_one_pod_can_get_all_of_it(pods: int, need: int) -> None:
    names = [f"pod-{number}" for number in range(pods)]
    written, lone = Allotments(), Pod()
    leases = dict.fromkeys(names, 0)
    for _ in range(6):
        uses = [using(name, lease=leases[name], short=need if name == "pod-0" else 0) for name in names]
        written = divide([BUDGET], uses, written, now=NOW, known={}).allotments
        leases = {name: written.of(name).leases["ns/all"][TODAY.key] for name in names}
    lone.lease = leases["pod-0"]
    assert lone.lease >= min(need, BUDGET.amount - sum(lease for name, lease in leases.items() if name != "pod-0"))
    assert sum(leases.values()) <= BUDGET.amount
