"""The brake: sessions and agents, whom a stop concerns, and what is forgotten."""

from tests.support.builders.braked import Driver, conversation, limits, run, said

from claude_gateway.contract.brake import BrakeLimits
from claude_gateway_proxy.gateway.admission.brake.session import Sessions
from claude_gateway_proxy.gateway.admission.brake.words import Unit


def test_agents_count_towards_their_session_and_have_limits_of_their_own() -> None:
    driver = Driver(limits=limits(requests=10, agent=BrakeLimits(requests=3)))
    for number in range(3):
        assert driver.ask([said(str(number))], agent="a1") is None
    stopped = driver.ask([said("x")], agent="a1")
    assert stopped is not None
    assert (stopped.scope, stopped.soft) == ("agent", True)
    for number in range(3):
        assert driver.ask([said(f"go on {number}")], agent="a1") is None
    hard = driver.ask([said("y")], agent="a1")
    assert hard is not None
    assert (hard.scope, hard.soft) == ("agent", False)
    for number in range(4):
        assert driver.ask([said(str(number))]) is None
    assert driver.ask([said("z")], agent="a2") is not None


def test_a_session_stops_its_agents_until_its_main_conversation_was_stopped() -> None:
    driver = Driver(limits=limits(requests=2))
    driver.ask([said("main")])
    driver.ask([said("agent")], agent="a1")
    for agent in ("a1", "a2", "a1"):
        stopped = driver.ask([said("more")], agent=agent)
        assert stopped is not None
        assert (stopped.scope, stopped.soft) == ("session", True)
    # No person would read the sentence in a title or a verdict.
    assert driver.ask([said("a title, please")], tools=False) is not None
    assert driver.ask([said("more")], agent="a2") is not None
    assert driver.ask([said("main"), said("more")]) is not None
    assert driver.ask([said("still more")], agent="a2") is None


def test_an_agents_loop_is_the_agents() -> None:
    driver = Driver()
    found = run(driver, conversation([[("Bash", {"command": "make"})]] * 60), agent="a1")
    assert found is not None
    assert (found[1].scope, found[1].unit) == ("agent", Unit.REPEATED)
    assert driver.ask([said("main")]) is None
    assert driver.ask([said("other")], agent="a2") is None


def test_sessions_of_other_users_and_clients_are_others() -> None:
    driver = Driver(limits=limits(requests=1, percent=100), user="alice")
    driver.ask([said("a")])
    assert driver.ask([said("b")]) is not None
    driver.user = "bob"
    assert driver.ask([said("b")]) is None
    assert driver.ask([said("c")]) is not None
    assert driver.brake.release(driver.principal, "5e55")
    driver.user = "alice"
    assert driver.ask([said("b")]) is not None
    driver.user = "mallory"
    assert not driver.brake.release(driver.principal, "5e55")
    driver.user, driver.client = "alice", "ns/other"
    assert not driver.brake.release(driver.principal, "5e55")
    assert driver.ask([said("b")]) is None


def test_a_session_that_its_client_lists_is_released_once() -> None:
    driver = Driver(limits=limits(requests=1, percent=100))
    driver.ask([said("a")])
    assert driver.ask([said("b")]) is not None
    driver.limits = limits(requests=1, percent=100, released=["5e55"])
    assert driver.ask([said("b")]) is None
    assert driver.ask([said("c")]) is not None
    driver.limits = limits(requests=1, percent=100)
    assert driver.ask([said("c")]) is not None
    driver.limits = limits(requests=1, percent=100, released=["5e55"])
    assert driver.ask([said("c")]) is None


def test_a_session_forgets_what_was_used_longest_ago() -> None:
    sessions = Sessions(most=20, most_of_client=15)
    driver = Driver(limits=limits(requests=1), sessions=sessions)
    for client, number in [("ns/a", n) for n in range(40)] + [("ns/b", n) for n in range(10)]:
        driver.client, driver.session = client, str(number)
        driver.ask([said("hi")])
    assert len(sessions) == 20
    assert sessions.find("ns/a", "", "39") is not None
    assert sessions.find("ns/a", "", "20") is None
    assert sessions.find("ns/b", "", "0") is not None


def test_a_client_that_invents_agents_costs_its_own_sessions() -> None:
    sessions = Sessions(parts=60)
    driver = Driver(limits=limits(requests=1000), sessions=sessions)
    driver.client = "ns/b"
    driver.ask([said("hi")])
    driver.client = "ns/a"
    for number in range(200):
        driver.session = str(number // 10)
        driver.ask([said(f"hi {number}")], agent=f"a{number}")
    # Each agent is one, and its line of conversation is another.
    assert len(sessions) == 1 + 59 // 20
    assert sessions.find("ns/a", "", "19") is not None
    assert sessions.find("ns/b", "", "5e55") is not None


def test_a_session_with_an_id_of_any_length_is_found_again() -> None:
    driver = Driver(limits=limits(requests=1, repeated_tool_calls=0), session="s" * 300 + "1")
    assert driver.ask([said("hi")]) is None
    assert driver.ask([said("on")]) is not None
    driver.session = "s" * 300 + "2"
    assert driver.ask([said("hi")], agent="a" * 300) is None
    assert driver.brake.release(driver.principal, driver.session)


def test_agents_that_a_session_forgot_weigh_nothing() -> None:
    sessions = Sessions(parts=1000)
    driver = Driver(limits=limits(requests=10000), sessions=sessions)
    for number in range(2000):
        driver.ask([said(f"hi {number}")], agent=f"a{number}")
    assert len(sessions) == 1
