"""Two releases in two namespaces and in one, and one that is upgraded, rolled back and tested by Helm."""

from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, Release, route
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube import pods as kubepods


def test_two_releases_share_nothing_but_the_kinds(gateway: Gateway) -> None:
    kube = gateway.kube
    other = Release(kube, name="other", namespace="second")
    other.install("proxy.replicas=1")
    second = Gateway.furnish(other, client="bob", model="second-claude")
    gateway.secrets.extend([*second.secrets, *other.own_secrets])
    model = gateway.targets[0].model

    with gateway.load(*gateway.steady()) as load:
        once = Group("own", other.url, model, rounds=1, workers=1)
        crossed = Group("crossed", gateway.release.url, model, rounds=1, workers=1)
        with second.load(once, crossed) as asked:
            asked.finish()
        found = {answer.group: answer for answer in asked.answers}
        assert (found["own"].served, found["own"].problem) == ("second-claude", None)
        assert (found["crossed"].problem or "").startswith("status 401")
        other.helm("uninstall", "--wait")
        load.wait_for_more(40)
    assert load.problems() == []
    assert {kube.exists("crd", namespace="", name=name) for name in kubecluster.CRDS} == {True}
    kube.kubectl("delete", "namespace", other.namespace, "--wait=false")
    kube.kubectl("delete", "pod", second.pod, "-n", kubepods.CLIENTS, "--wait=false")


def test_two_releases_in_one_namespace_serve_what_names_them(gateway: Gateway) -> None:
    kube = gateway.kube
    red, blue = (Release(kube, name=name, namespace="shared") for name in ("red", "blue"))
    for release in (red, blue):
        release.install("proxy.replicas=1")
    gateway.secrets.extend([*red.own_secrets, *blue.own_secrets])
    own = [
        route(
            f"of-{release.name}",
            models=[f"claude-{release.name}"],
            model=f"anthropic/{release.name}",
            baseURL=kubepods.UPSTREAM_URL,
            release=release.fullname,
        )
        for release in (red, blue)
    ]
    both = route("of-both", models=["claude-both"], model="anthropic/both", baseURL=kubepods.UPSTREAM_URL)
    kube.apply(*own, both, namespace=red.namespace)
    names = [f"modelroute/{name}" for name in ("of-red", "of-blue", "of-both")]
    kube.wait(*names, condition="Programmed", namespace=red.namespace)
    served: dict[tuple[str, str], str] = {}
    for release in (red, blue):
        kube.apply(*kubepods.client(release.name, url=release.url, key=release.bootstrap_key))
        kube.wait(f"pod/{release.name}", condition="Ready", namespace=kubepods.CLIENTS)
        groups = [Group(name, release.url, f"claude-{name}", rounds=1, workers=1) for name in ("red", "blue", "both")]
        with kubepods.Load(kube, release.name, groups) as asked:
            asked.finish()
        served |= {(release.name, each.group): each.problem or each.served or "" for each in asked.answers}
    unknown = {way: found for way, found in served.items() if way in (("red", "blue"), ("blue", "red"))}
    assert [found.partition(":")[0][:10] for found in unknown.values()] == ["status 404"] * 2
    assert {way: found for way, found in served.items() if way not in unknown} == {
        ("red", "red"): "red",
        ("red", "both"): "both",
        ("blue", "blue"): "blue",
        ("blue", "both"): "both",
    }
    kube.kubectl("delete", *names, "-n", red.namespace)
    red.helm("uninstall")
    blue.remove("red", "blue")


def test_an_upgrade_and_its_rollback_lose_nothing(gateway: Gateway) -> None:
    release = gateway.release
    pods = [{pod.uid for pod in release.pods()}]
    with gateway.load(*gateway.steady()) as load:
        release.upgrade("proxy.podAnnotations.example\\.com/e2e=upgraded")
        pods.append({pod.uid for pod in release.pods()})
        load.wait_for_more(20)
        release.helm("rollback", "--wait", "--timeout", "180s")
        pods.append({pod.uid for pod in release.pods()})
        load.wait_for_more(40)
    assert load.problems() == []
    assert not pods[0] & pods[1]
    assert not pods[1] & pods[2]


def test_helm_can_test_it(gateway: Gateway) -> None:
    assert "Phase:          Succeeded" in gateway.release.helm("test")
