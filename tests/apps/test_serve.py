"""Who may reach the dashboard, and what its pages may reach."""

import base64
import socket
import threading
import urllib.error
import urllib.request

import pytest
from interp_dashboard.serve import is_loopback, serve

import interp
from interp.core.errors import InterpError
from interp.core.progress import track
from interp.models import HookedModel


def status(url: str, **headers: str) -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers)


def test_serves_one_model_and_stops(model: HookedModel) -> None:
    served = interp.dashboard(model, port=0, block=False)
    code, headers = status(served.url)
    assert code == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy
    assert served.workspace.model is model
    served.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(served.url, timeout=3)


def test_another_host_name_or_origin_is_refused(model: HookedModel) -> None:
    served = serve(model, port=0, block=False)
    port = served.url.rsplit(":", 1)[1].strip("/")
    assert status(served.url, Host="evil.example")[0] == 403
    assert status(served.url, Host=f"evil.example:{port}")[0] == 403
    assert status(served.url, Host=f"localhost:{port}")[0] == 200
    assert status(served.url, Origin="http://evil.example")[0] == 403
    served.close()


def test_what_only_a_page_that_is_gone_waits_for_is_cancelled(model: HookedModel) -> None:
    served = serve(model, port=0, block=False)
    started, gate, steps = threading.Event(), threading.Event(), []

    def long() -> None:
        for step in track(range(50), 50, "steps"):
            steps.append(step)
            started.set()
            gate.wait(10)

    served.workspace.runner.submit("long", long, label="long", quick=False, watcher="gone")
    started.wait(10)
    urllib.request.urlopen(urllib.request.Request(f"{served.url}_left", data=b"another"), timeout=20)
    assert served.workspace.runner.progress("gone")
    urllib.request.urlopen(urllib.request.Request(f"{served.url}_left", data=b"gone"), timeout=20)
    gate.set()
    served.workspace.runner.wait(["long"], 10)
    assert len(steps) == 1
    served.close()


def test_a_public_address_needs_a_password(model: HookedModel) -> None:
    with pytest.raises(InterpError, match="set a password"):
        serve(model, host="0.0.0.0", port=0, block=False)
    served = serve(model, host="0.0.0.0", port=0, password="sesame", block=False)
    local = served.url.replace("0.0.0.0", "127.0.0.1")
    right, wrong = (base64.b64encode(f"me:{word}".encode()).decode() for word in ("sesame", "sesam"))
    assert status(local)[0] == 401
    assert status(local, Authorization=f"Basic {wrong}")[0] == 401
    assert status(local, Authorization="Basic !!!")[0] == 401
    assert status(local, Authorization=f"Basic {right}")[0] == 200
    served.close()


def test_a_taken_port_is_one_clear_line(model: HookedModel) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InterpError, match=f"127.0.0.1:{port}.*another port"):
            serve(model, port=port, block=False)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("192.168.1.4", False), ("x", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
