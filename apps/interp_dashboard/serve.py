"""Serving the dashboard on this machine."""

import base64
import binascii
import hmac
import ipaddress
import logging
import threading
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, request
from waitress import wasyncore
from waitress.server import create_server
from waitress.trigger import trigger

import interp
from interp.core.errors import InterpError
from interp.models.hooked import HookedModel
from interp_dashboard.app import build
from interp_dashboard.workspace import Workspace

THREADS = 8


@dataclass(frozen=True, eq=False)
class Dashboard:
    """A dashboard that is being served; `close()` ends it."""

    url: str
    workspace: Workspace
    _sockets: dict[int, Any]
    _thread: threading.Thread | None = None

    def close(self) -> None:
        """Stop serving and cancel what runs. The model stays as it is."""
        wakers = [waker for waker in self._sockets.values() if isinstance(waker, trigger)]
        if self._thread is not None and self._thread.is_alive() and wakers:
            wakers[0].pull_trigger(self._hang_up)  # in the serving thread, which may be waiting on the sockets
            self._thread.join(timeout=10)
        else:
            self._hang_up()
        self.workspace.close()

    def _hang_up(self, _: None = None) -> None:
        wasyncore.close_all(self._sockets)

    def _repr_html_(self) -> str:
        return f'<a href="{self.url}" target="_blank">{self.url}</a>'


def serve(
    model: HookedModel | str | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    password: str | None = None,
    open_browser: bool = False,
    block: bool = True,
) -> Dashboard:
    """Serve the dashboard over a model that is loaded, or a name to load (the default model where none is given).

    With `block=False` it serves from a thread of its own and returns at once. Port 0 takes a free one.
    Raises: InterpError if the address is not this machine's alone and no password is set, or the port is taken.
    """
    if not is_loopback(host) and not password:
        raise InterpError(f"{host} can be reached from other machines; set a password, or serve on 127.0.0.1")
    if model is None or isinstance(model, str):
        model = interp.load(model) if model else interp.load()
    app, workspace = build(model)
    sockets: dict[int, Any] = {}
    try:
        server: Any = create_server(app.server, map=sockets, host=host, port=port, threads=THREADS, ident=None)
    except (OSError, OverflowError, ValueError) as error:  # waitress and the system tell of a wrong address by either
        workspace.runner.close()
        reason = getattr(error, "strerror", None) or error
        raise InterpError(f"cannot serve on {host}:{port} ({reason}); choose another host or port") from error
    # A name such as localhost may stand for two addresses; waitress then keeps a list.
    port = int(server.effective_listen[0][1] if hasattr(server, "effective_listen") else server.effective_port)
    protect(app.server, app.csp_hashes(), host=host, port=port, password=password)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a browser asks for a dozen scripts at once
    url = f"http://{_written(host)}:{port}/"
    if open_browser:
        webbrowser.open(url)
    if block:
        dashboard = Dashboard(url, workspace, sockets)
        try:
            server.run()
        finally:
            dashboard.close()
        return dashboard
    thread = threading.Thread(target=server.run, name="interp-dashboard", daemon=True)
    thread.start()
    return Dashboard(url, workspace, sockets, thread)


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def protect(server: Flask, script_hashes: Sequence[str], *, host: str, port: int, password: str | None) -> None:
    """Refuse requests that other sites could send through the person's browser, and keep the page's own at home."""
    scripts = " ".join(f"'{value.strip(chr(39))}'" for value in script_hashes)
    policy = (
        f"default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
    names = {"localhost", "127.0.0.1", "[::1]", _written(host)}
    allowed = {f"{name}:{port}" for name in names} | (names if port == 80 else set())

    @server.before_request
    def check() -> Response | None:
        if is_loopback(host) and request.headers.get("Host", "") not in allowed:
            return Response("this address is not served here", 403)  # DNS rebinding
        origin = request.headers.get("Origin")
        if origin is not None and origin.split("//", 1)[-1] != request.headers.get("Host", ""):
            return Response("requests from other sites are refused", 403)
        if password and not _knows(password, request.headers.get("Authorization", "")):
            return Response("a password is needed", 401, {"WWW-Authenticate": 'Basic realm="interp"'})
        return None

    @server.after_request
    def confine(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _knows(password: str, header: str) -> bool:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, password.encode())


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
