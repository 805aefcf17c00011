"""Who may reach the dashboard, and what its pages may reach."""

import base64
import http.client
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from interp_dashboard.app import build
from interp_dashboard.guard import CONNECTIONS, LARGEST_BODY, LARGEST_FILE, Brake, Guard, is_loopback
from interp_dashboard.serve import Dashboard, serve
from waitress.server import BaseWSGIServer
from waitress.trigger import trigger

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


@pytest.fixture
def served(model: HookedModel) -> Iterator[Dashboard]:
    dashboard = serve(model, port=0, block=False)
    yield dashboard
    dashboard.close()


def said(served: Dashboard, head: str, body: bytes = b"") -> int:
    """The status of an answer to lines as they stand, of which no more than this is sent."""
    with socket.create_connection(("127.0.0.1", port_of(served)), timeout=20) as connection:
        lines = [*head.replace("PORT", str(port_of(served))).splitlines(), "", ""]
        connection.sendall("\r\n".join(lines).encode() + body)
        return int(connection.makefile("rb").readline().split()[1])


def port_of(served: Dashboard) -> int:
    return int(served.url.rsplit(":", 1)[1].strip("/"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1:PORT", 200), ("localhost:PORT", 200), ("LOCALHOST:PORT", 200), ("[::1]:PORT", 200)]
    + [(host, 403) for host in ("evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "")],
)
def test_another_host_name_is_refused(served: Dashboard, host: str, expected: int) -> None:
    assert said(served, f"GET / HTTP/1.1\nHost: {host}") == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("Origin: http://127.0.0.1:PORT", 200),
        *[
            (f"Origin: {origin}", 403)
            for origin in (
                "https://127.0.0.1:PORT", "127.0.0.1:PORT", "//127.0.0.1:PORT", "evil//127.0.0.1:PORT", "null", "",
                "http://127.0.0.1", "http://localhost:PORT", "http://evil.example", "http://127.0.0.1:PORT.evil.example",
            )
        ],
        ("Origin: http://127.0.0.1:PORT\nOrigin: http://evil.example", 403),
        ("Sec-Fetch-Site: same-origin", 200),
        ("Sec-Fetch-Site: none\nSec-Fetch-Mode: navigate", 200),
        ("Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document", 200),  # a link is followed
        ("Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe", 403),
        ("Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors\nSec-Fetch-Dest: script", 403),
        ("Sec-Fetch-Site: same-site\nSec-Fetch-Mode: cors", 403),
    ],
)  # fmt: skip
def test_another_site_is_refused(served: Dashboard, headers: str, expected: int) -> None:
    assert said(served, f"GET / HTTP/1.1\nHost: 127.0.0.1:PORT\n{headers}") == expected


def test_another_site_may_not_post_even_as_if_a_link_were_followed(served: Dashboard) -> None:
    fetch = "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document"
    assert said(served, f"POST /_left HTTP/1.1\nHost: 127.0.0.1:PORT\nContent-Length: 1\n{fetch}", b"x") == 403


LARGE = f"Content-Length: {400 << 20}"
CHUNKED = "Transfer-Encoding: chunked"
CHUNK = b"%x\r\n" % (LARGEST_BODY + 2) + b"0" * (LARGEST_BODY + 2) + b"\r\n"


@pytest.mark.parametrize("more", ["", "\nExpect: 100-continue"])
@pytest.mark.parametrize(
    ("path", "host", "headers", "body", "expected"),
    [
        ("/_left", "127.0.0.1:PORT", LARGE, b"", 413),
        ("/_dash-update-component", "127.0.0.1:PORT", LARGE, b"", 413),
        ("/_engine/open", "127.0.0.1:PORT", LARGE, b"", 413),
        ("/_engine/open", "127.0.0.1:PORT", f"Content-Length: {LARGEST_FILE + 1}", b"", 413),
        ("/_left", "evil.example", LARGE, b"", 403),
        ("/_left", "127.0.0.1:PORT", f"{LARGE}\nOrigin: http://evil.example", b"", 403),
        ("/_left", "evil.example", CHUNKED, b"", 403),
        ("/_left", "127.0.0.1:PORT", CHUNKED, CHUNK, 413),
    ],
)
def test_a_body_is_refused_before_it_is_read(
    served: Dashboard, path: str, host: str, headers: str, body: bytes, expected: int, more: str
) -> None:
    """The answer comes though nothing of the body, or only as much as is allowed, was sent."""
    if body == CHUNK and more:
        pytest.skip("what expects 100 and is allowed is told to go on first")
    assert said(served, f"POST {path} HTTP/1.1\nHost: {host}\n{headers}{more}", body) == expected


def test_silent_connections_do_not_keep_others_out(served: Dashboard) -> None:
    silent = [socket.create_connection(("127.0.0.1", port_of(served)), timeout=20) for _ in range(3 * CONNECTIONS)]
    started = time.monotonic()
    for _ in range(5):
        assert status(served.url)[0] == 200
    assert time.monotonic() - started < 10
    for connection in silent:
        connection.close()


def test_a_page_that_was_answered_outlives_connections_that_never_asked(served: Dashboard) -> None:
    kept = http.client.HTTPConnection("127.0.0.1", port_of(served), timeout=20)
    kept.request("GET", "/_dash-dependencies")
    kept.getresponse().read()
    silent = [socket.create_connection(("127.0.0.1", port_of(served)), timeout=20) for _ in range(2 * CONNECTIONS)]
    assert status(served.url)[0] == 200
    kept.request("GET", "/_dash-dependencies")
    assert kept.getresponse().status == 200
    for connection in [kept, *silent]:
        connection.close()


def test_wrong_passwords_are_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """By address, and a whole IPv6 network of a holder; never without a password, which is how a browser starts."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    guard = Guard(None, "sesame", Brake())

    def code(word: str | None, address: str = "192.0.2.1") -> int:
        given = {} if word is None else {"AUTHORIZATION": "Basic " + base64.b64encode(f"me:{word}".encode()).decode()}
        refusal = guard.refusal("GET", given, address)
        return 200 if refusal is None else refusal.code

    assert [code(None) for _ in range(20)] == [401] * 20
    tried = 0
    for _ in range(36_000):  # an hour, ten guesses a second
        tried += code("wrong") == 401
        now[0] += 0.1
    assert tried < 80
    assert code("sesame") == 429
    assert code("sesame", "192.0.2.2") == 200
    now[0] += 61
    assert code("sesame") == 200
    assert code("wrong") == 401
    assert [code("wrong", f"2001:db8::{number}") for number in range(1, 8)] == [401] * 5 + [429] * 2
    assert code("sesame", "2001:db8:0:1::1") == 200


CALLBACK = {
    "output": "delivery.data",
    "outputs": {"id": "delivery", "property": "data"},
    "inputs": [{"id": "request", "property": "data", "value": None}],
    "state": [{"id": "tab", "property": "data", "value": "tab"}],
    "changedPropIds": ["request.data"],
}
WISH = {"view": {}, "theme": "light", "have": {}, "choices": {}, "process": "another"}


def asking(value: Any) -> dict[str, Any]:
    return CALLBACK | {"inputs": [CALLBACK["inputs"][0] | {"value": value}]}


@pytest.fixture
def client(workspace_app: Any) -> Any:
    return workspace_app.server.test_client()


@pytest.fixture
def workspace_app(model: HookedModel) -> Iterator[Any]:
    app, workspace = build(model)
    yield app
    workspace.close()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b"5", b"{}", b'"output"',
        *[CALLBACK | {name: value} for name in CALLBACK for value in (None, 5, {}, [5], "x", [{"id": 5}])],
        *[CALLBACK | {name: []} for name in CALLBACK if name != "changedPropIds"],
        *[{other: CALLBACK[other] for other in CALLBACK if other != name} for name in CALLBACK if name != "state"],
        *[asking(value) for value in (5, "x", [1], {"view": {}})],
        *[asking(WISH | {name: value}) for name in WISH for value in (5, None, "x", [1], {"x": [5]}) if
          (name, value) not in [("view", {"x": [5]}), ("choices", {"x": [5]}), ("process", "x")]],
        CALLBACK | {"output": "engine-form.children", "outputs": {"id": "engine-form", "property": "children"},
                    "state": [], "inputs": [{"id": "engine-asked", "property": "data", "value": {"engine": []}}]},
        CALLBACK | {"output": "address.data"},
    ],
)  # fmt: skip
def test_a_malformed_callback_is_answered_400(client: Any, body: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post("/_dash-update-component", data=content, content_type="application/json")
    assert answer.status_code == 400


def test_a_well_formed_callback_is_answered(client: Any) -> None:
    assert client.post("/_dash-update-component", json=CALLBACK).status_code in (200, 204)
    mine = {"process": client.get("/_alive").json["process"]}
    assert "payloads" in client.post("/_dash-update-component", json=asking(WISH | mine)).text


def test_a_page_of_another_process_gets_no_answer_of_this_one(client: Any) -> None:
    assert "payloads" not in client.post("/_dash-update-component", json=asking(WISH)).text


@pytest.mark.parametrize("path", ["dash/dash.py", "nothing/x.js", "dash/../serve.py", "os/x.js", "dash/deps/none.js"])
def test_an_unknown_script_is_answered_404(client: Any, path: str) -> None:
    assert client.get(f"/_dash-component-suites/{path}").status_code == 404


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"port": 65_536}, "no port 65536; choose one from 0 to 65535"),
        ({"port": -1}, "no port -1; choose one"),
        ({"host": "no.such.host.invalid", "password": "x", "port": 0}, "no host 'no.such.host.invalid'"),
        ({"host": "192.0.2.1", "password": "x", "port": 0}, r"cannot serve on 192\.0\.2\.1:0 \("),
    ],
)
def test_an_address_that_cannot_be_served_on(model: HookedModel, settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InterpError, match=complaint) as caught:
        serve(model, block=False, **settings)
    assert "\n" not in str(caught.value)


def test_it_says_where_it_is_when_it_is_ready(model: HookedModel, monkeypatch: Any, capsys: Any) -> None:
    """The connection is accepted when the line is there."""

    def run(server: Any) -> None:
        line = capsys.readouterr().err
        url = re.fullmatch(
            rf"serving {re.escape(model.name)} at (http://127\.0\.0\.1:\d+/) \(Ctrl\+C ends it\)\n", line
        )
        assert url is not None
        socket.create_connection(("127.0.0.1", int(url[1].rsplit(":", 1)[1].strip("/"))), timeout=5).close()

    monkeypatch.setattr(BaseWSGIServer, "run", run)
    serve(model, port=0)


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


def test_a_server_that_hangs_up_before_it_is_woken(model, monkeypatch):
    """The serving thread may be awake already: it closes the waker that is about to be used."""
    dashboard = serve(model, port=0, block=False)
    thread: Any = dashboard._thread

    def wake(waker, hang_up):
        waker.thunks.append(hang_up)
        pull(waker)
        thread.join(timeout=10)
        pull(waker)

    pull = trigger._physical_pull
    monkeypatch.setattr(trigger, "pull_trigger", wake)
    dashboard.close()
    assert not thread.is_alive()
