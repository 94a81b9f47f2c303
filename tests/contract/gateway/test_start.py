"""What stops the gateway from starting is said in one line."""

import signal
import socket

from tests.support.processes.child import Process, python
from tests.support.processes.lone_gateway import LoneGateway


def test_wrong_settings_are_named() -> None:
    settings = {"CLAUDE_GATEWAY_LISTEN": "nowhere", "CLAUDE_GATEWAY_MAX_BODY_BYTES": "1"}
    with Process(python("claude_gateway_proxy.gateway"), environment=settings) as process:
        assert process.wait() == 2
        assert "Traceback" not in process.output
        for name in ("RUN_DIR", "LISTEN", "MAX_BODY_BYTES"):
            assert f"CLAUDE_GATEWAY_{name}: " in process.output


def test_half_a_certificate_is_a_mistake() -> None:
    settings = {"CLAUDE_GATEWAY_RUN_DIR": "/nonexistent", "CLAUDE_GATEWAY_TLS_CERT_FILE": "/nonexistent/tls.crt"}
    with Process(python("claude_gateway_proxy.gateway"), environment=settings) as process:
        assert process.wait() == 2
        assert "tls_key_file" in process.output


def test_a_port_in_use_ends_it_with_a_line_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        gateway = LoneGateway(listen=f"127.0.0.1:{taken.getsockname()[1]}")
        try:
            assert gateway.process.wait() == 1
            assert "in use" in gateway.event("start_failed")["error"]
            assert "Traceback" not in gateway.process.output
        finally:
            gateway.close()


def test_a_socket_that_a_dead_process_left_is_replaced() -> None:
    with LoneGateway() as gateway:
        gateway.process.send(signal.SIGKILL)
        gateway.process.wait()
        again = Process(gateway.process.arguments, environment=gateway.environment)
        with again:
            again.listening()
            assert gateway.status().revision is None


def test_every_address_of_both_families_is_meant_by_an_empty_host() -> None:
    with LoneGateway(listen=":0") as gateway:
        port = int(gateway.address.rpartition(":")[2])
        for host in ("127.0.0.1", *(["::1"] if _has_ipv6() else [])):
            with socket.create_connection((host, port), timeout=30) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
