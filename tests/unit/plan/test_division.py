"""Leases never add up to more than what is left, whatever pods do, and whoever needs one gets it while there is one."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.allotment import Allotments, read, read_part
from claude_gateway.contract.budget import Budget, Period, Spending, window
from claude_gateway.contract.report import BudgetUse, ProcessReport
from claude_gateway.plan.division import Division, PodUse, divide, pod_use

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
    assert divide([BUDGET], [], Allotments(), now=NOW, known={}).allotments == Allotments()
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


@dataclass
class Pod:
    """A gateway that spends at most its lease."""

    lease: int = 0
    spent: int = 0
    short: int = 0


@dataclass
class Fleet:
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
