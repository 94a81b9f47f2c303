"""The reliability page: every chaos test has a promise, and each result is said as it was."""

from tools.reference import reliability
from tools.reference.reliability import Scenario

NODE = Scenario("test_the_node_restarts", "tests/chaos/test_4_node.py", "All is served again.")


def test_every_chaos_test_is_a_scenario_with_a_promise() -> None:
    found = reliability.scenarios()
    assert [scenario.promise for scenario in found if not scenario.promise] == []
    assert "test_the_api_server_is_away" in [scenario.name for scenario in found]
    assert len({scenario.name for scenario in found}) == len(found), "results are kept by name"


def test_results_are_said_as_they_were() -> None:
    def said(**result: object) -> str:
        ((promise, where, text),) = reliability.rows([NODE], {NODE.name: result} if result else {})
        assert promise == NODE.promise
        assert where == "[`test_the_node_restarts`](../tests/chaos/test_4_node.py)"
        return text

    assert said() == "not run yet"
    assert said(passed=True, at="2026-01-02T03:04:05+00:00", seen=["2 requests"]) == "kept on 2026-01-02: 2 requests"
    assert said(passed=False, at="2026-01-02T03:04:05+00:00", seen=[]) == "**broken** on 2026-01-02"


def test_the_page_has_no_result_of_a_test_that_is_gone() -> None:
    page = reliability.render()
    assert page.count("../tests/chaos/") == len(reliability.scenarios())
