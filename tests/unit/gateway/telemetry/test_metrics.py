"""What is counted, and that label sets come and go with the configuration."""

from prometheus_client.parser import text_string_to_metric_families
from tests.support.builders.bundles import bundle, route, target

from claude_gateway.contract.client import Client
from claude_gateway.contract.login import Outcome
from claude_gateway.contract.report import CredentialReport, EjectedTarget
from claude_gateway.contract.route import Match, RouteRule
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.snapshot import Snapshot, build
from claude_gateway_proxy.gateway.telemetry.metrics import Metrics
from claude_gateway_proxy.gateway.telemetry.record import Record, UpstreamError


def _snapshot(*routes: str, clients: tuple[str, ...] = ("ns/dev",)) -> Snapshot:
    found = [route(name, targets=[target(base_url="http://x")]) for name in routes]
    return build(bundle(found, clients=[Client(name=name) for name in clients]))


def _record(route_name: str, *, client: str = "ns/dev", provider: str = "anthropic", attempts: int = 1) -> Record:
    return Record(
        wire=Wire.ANTHROPIC,
        format=Format.MESSAGES,
        started=10.0,
        first_byte=10.5,
        client=client,
        route=route_name,
        provider=provider,
        status=200,
        attempts=attempts,
        input_tokens=7,
        cache_read_tokens=3,
    )


def _samples(metrics: Metrics) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_a_request_is_counted_with_its_tokens_and_times() -> None:
    metrics = Metrics(in_flight=lambda: 3)
    there = target(base_url="http://x").model_copy(update={"provider": "bedrock", "telemetry_provider": "aws.bedrock"})
    metrics.loaded(build(bundle([route("a", targets=[there])], clients=[Client(name="ns/dev")])), now=1.0)
    record = _record("ns/a", provider="bedrock", attempts=3)
    record.upstream_failed(target="t", provider="openai", kind=UpstreamError.OVERLOADED)
    record.upstream_failed(target="u", provider="openai", kind=UpstreamError.OVERLOADED)
    metrics.finished(record, now=12.0)
    metrics.finished(_record("ns/a", provider="bedrock"), now=12.0)
    found = _samples(metrics)
    assert found["claude_gateway_requests_total{client=ns/dev,format=Messages,route=ns/a,status=200}"] == 2
    assert found["claude_gateway_tokens_total{client=ns/dev,route=ns/a,type=input}"] == 14
    assert found["claude_gateway_tokens_total{client=ns/dev,route=ns/a,type=cache_read}"] == 6
    assert "claude_gateway_tokens_total{client=ns/dev,route=ns/a,type=output}" not in found
    labels = "gen_ai_operation_name=chat,gen_ai_provider_name=aws.bedrock,gen_ai_request_model=ns/a"
    assert found[f"gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type=input}}"] == 20, "with those of the cache"
    assert f"gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type=output}}" not in found
    assert f"gen_ai_server_time_per_output_token_seconds_sum{{{labels}}}" not in found, "it was not a stream"
    assert found["claude_gateway_upstream_errors_total{kind=overloaded,provider=openai,reason=,route=ns/a}"] == 2
    assert found["claude_gateway_failovers_total{route=ns/a}"] == 2
    assert found["claude_gateway_requests_in_flight{}"] == 3
    otel = "gen_ai_operation_name=chat,gen_ai_provider_name=aws.bedrock,gen_ai_request_model=ns/a"
    assert found[f"gen_ai_server_request_duration_seconds_sum{{{otel}}}"] == 4.0
    assert found[f"gen_ai_server_time_to_first_token_seconds_sum{{{otel}}}"] == 1.0


def test_a_request_that_reached_no_target_has_no_duration_of_one() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    metrics.finished(Record(wire=Wire.OPENAI, format=Format.CHAT, started=0.0, status=401), now=1.0)
    found = _samples(metrics)
    assert found["claude_gateway_requests_total{client=unknown,format=Chat,route=unknown,status=401}"] == 1
    assert not [name for name in found if name.startswith("gen_ai")]


def test_a_new_revision_replaces_the_old_one_and_forgets_what_is_gone() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    first = _snapshot("a", "b", clients=("ns/dev", "ns/old"))
    metrics.loaded(first, now=1.0)
    for name in ("ns/a", "ns/b"):
        metrics.finished(_record(name), now=12.0)
    metrics.finished(_record("ns/a", client="ns/old"), now=12.0)
    metrics.finished(_record("ns/a", provider="gone"), now=12.0)
    second = _snapshot("a")
    metrics.loaded(second, now=2.0)
    text = metrics.text().decode()
    assert "ns/b" not in text
    assert "ns/old" not in text
    assert "gone" not in text
    found = _samples(metrics)
    assert found["claude_gateway_requests_total{client=ns/dev,format=Messages,route=ns/a,status=200}"] == 2
    assert found[f"claude_gateway_config_info{{revision={second.revision}}}"] == 1
    assert f"claude_gateway_config_info{{revision={first.revision}}}" not in found
    assert found["claude_gateway_config_loaded_timestamp_seconds{}"] == 2.0


def test_hundreds_of_revisions_leave_no_label_sets_behind() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    sizes = []
    for number in range(200):
        metrics.loaded(_snapshot(f"m-{number}"), now=1.0)
        record = _record(f"ns/m-{number}", attempts=2)
        record.upstream_failed(target="t", provider="anthropic", kind=UpstreamError.CONNECT)
        metrics.finished(record, now=12.0)
        # A request that began before the swap ends after it: its label sets go with the next revision.
        metrics.finished(_record(f"ns/m-{number - 1}"), now=12.0)
        sizes.append(len(_samples(metrics)))
    assert max(sizes[10:]) == sizes[10]


def test_a_refused_revision_is_counted() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    metrics.refused()
    assert _samples(metrics)["claude_gateway_config_errors_total{}"] == 1


def test_credentials_are_shown_as_they_were_heard_of_last() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    reports = [
        CredentialReport(credential="ns/a.new", outcome=Outcome.OK, at=2.0, failures=3, expires_at=99.0),
        CredentialReport(credential="ns/a.old", outcome=Outcome.REJECTED, at=1.0),
        CredentialReport(credential="ns/b.1", outcome=Outcome.UNAVAILABLE, at=1.0, failures=1),
    ]
    metrics.states.watch_credentials(lambda: reports)
    found = _samples(metrics)
    assert found["claude_gateway_credential_valid{credential=ns/a}"] == 1
    assert "claude_gateway_credential_valid{credential=ns/b}" not in found
    assert found["claude_gateway_credential_expiry_timestamp_seconds{credential=ns/a}"] == 99
    assert _samples(metrics)["claude_gateway_credential_refresh_failures_total{credential=ns/a}"] == 3
    reports.clear()
    assert "claude_gateway_credential_valid{credential=ns/a}" not in _samples(metrics)


def test_ejected_targets_are_shown_with_their_end_and_its_reason_until_they_are_well() -> None:
    metrics = Metrics(in_flight=lambda: 0)
    now: list[EjectedTarget] = [
        EjectedTarget(target="ns/a/0.01234567", model="x", reason="overloaded", since=1, until=9),
        EjectedTarget(target="ns/a/0.01234567", model="y", reason="rate_limited", since=1, until=7),
        EjectedTarget(target="ns/b/1.01234567", reason="connect", since=1, until=5),
    ]
    metrics.states.watch_targets(lambda: now)
    found = _samples(metrics)
    assert found["claude_gateway_targets_ejected{}"] == 2
    name = "claude_gateway_target_ejected_until_timestamp_seconds"
    assert {key: value for key, value in found.items() if key.startswith(name)} == {
        f"{name}{{reason=overloaded,target=ns/a/0}}": 9,
        f"{name}{{reason=connect,target=ns/b/1}}": 5,
    }
    now.clear()
    found = _samples(metrics)
    assert found["claude_gateway_targets_ejected{}"] == 0
    assert not any(key.startswith(name) for key in found)


def test_what_a_rule_matched_is_counted_while_the_rule_exists() -> None:
    there = [target(base_url="http://x")]
    rules = [RouteRule(name="pictures", match=Match(images=True), targets=tuple(there))]
    metrics = Metrics(in_flight=lambda: 0)
    metrics.loaded(build(bundle([route("a", targets=there, rules=rules)])), now=1.0)
    matched = _record("ns/a")
    matched.rule = "pictures"
    metrics.finished(matched, now=12.0)
    metrics.finished(_record("ns/a"), now=12.0)
    counted = "claude_gateway_rule_matches_total"
    found = {name: value for name, value in _samples(metrics).items() if name.startswith(counted)}
    assert found == {f"{counted}{{route=ns/a,rule=pictures}}": 1.0}
    metrics.loaded(build(bundle([route("a", targets=there)])), now=2.0)
    assert not [name for name in _samples(metrics) if name.startswith(counted)]
