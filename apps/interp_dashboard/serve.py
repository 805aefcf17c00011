"""Serving the dashboard on this machine."""

import logging
import select
import sys
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask, Response
from waitress import wasyncore
from waitress.server import BaseWSGIServer, create_server
from waitress.trigger import trigger

import interp
from interp.core.errors import InterpError
from interp.models.hooked import HookedModel
from interp_dashboard.app import build
from interp_dashboard.guard import LIMITS, Guard, GuardedChannel, bracketed, hosts_of, is_loopback
from interp_dashboard.switching import Serving
from interp_dashboard.workspace import Workspace

THREADS = 8


@dataclass(frozen=True, eq=False)
class Dashboard:
    """A dashboard that is being served; `close()` ends it."""

    url: str
    serving: Serving
    _sockets: dict[int, Any]
    _thread: threading.Thread | None = None

    @property
    def workspace(self) -> Workspace:
        """What answers now; another one after the model has been switched."""
        return self.serving.workspace

    def close(self) -> None:
        """Stop serving and cancel what runs. The model stays as it is."""
        wakers = [waker for waker in self._sockets.values() if isinstance(waker, trigger)]
        if self._thread is not None and self._thread.is_alive() and wakers:
            with suppress(OSError):  # a thread that is awake has hung up, and closed the waker, before it is woken
                wakers[0].pull_trigger(self._hang_up)  # in the serving thread, which may be waiting on the sockets
            self._thread.join(timeout=10)
        else:
            self._hang_up()
        self.serving.close()

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
    any_model: bool = False,
) -> Dashboard:
    """Serve the dashboard over a model that is loaded, or a name to load (the default model where none is given).

    With `block=False` it serves from a thread of its own and returns at once. Port 0 takes a free one.
    On an address that others reach, visitors may load other models of this machine only with `any_model`.
    Raises: InterpError if the address is not this machine's alone and no password is set, or the port is taken.
    """
    if not is_loopback(host) and not password:
        raise InterpError(f"{host} can be reached from other machines; set a password, or serve on 127.0.0.1")
    if model is None or isinstance(model, str):
        model = interp.load(model) if model else interp.load()
    fixed = "" if any_model or is_loopback(host) else f"it is served on {host} without --any-model"
    app, serving = build(model, fixed)
    confine(app.server, app.csp_hashes())
    sockets: dict[int, Any] = {}
    try:
        server = _server(app.server, host, port, sockets)
    except InterpError:
        serving.close()
        raise
    guard = Guard(hosts_of(host, _port(server)), password)
    for listener in sockets.values():
        if isinstance(listener, BaseWSGIServer):
            channels: Any = partial(GuardedChannel, guard=guard)
            listener.channel_class = channels
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a browser asks for a dozen scripts at once
    url = f"http://{bracketed(host)}:{_port(server)}/"
    if open_browser:
        webbrowser.open(url)
    if block:
        dashboard = Dashboard(url, serving, sockets)
        sys.stderr.write(f"serving {model.name} at {url} (Ctrl+C ends it)\n")
        try:
            server.run()
        finally:
            dashboard.close()
        return dashboard
    thread = threading.Thread(target=server.run, name="interp-dashboard", daemon=True)
    thread.start()
    return Dashboard(url, serving, sockets, thread)


def _server(app: Flask, host: str, port: int, sockets: dict[int, Any]) -> Any:
    if not 0 <= port <= 65_535:
        raise InterpError(f"there is no port {port}; choose one from 0 to 65535 (0 takes a free one)")
    settings: dict[str, Any] = {
        "map": sockets,
        "threads": THREADS,
        "ident": None,
        "asyncore_use_poll": hasattr(select, "poll"),
        **LIMITS,
    }
    try:
        return create_server(app, host=host, port=port, **settings)
    except ValueError as error:  # how waitress says that a name has no address
        raise InterpError(
            f"there is no host {host!r} to serve on; use 127.0.0.1, or an address of this machine"
        ) from error
    except OSError as error:
        raise InterpError(f"cannot serve on {host}:{port} ({error.strerror or error}); choose another port") from error


def _port(server: Any) -> int:
    """The port that was taken. A name such as localhost may stand for two addresses; waitress then keeps a list."""
    return int(server.effective_listen[0][1] if hasattr(server, "effective_listen") else server.effective_port)


def confine(server: Flask, script_hashes: Sequence[str]) -> None:
    """Keep what the page itself loads, sends and shows at home."""
    scripts = " ".join(f"'{value.strip(chr(39))}'" for value in script_hashes)
    policy = (
        f"default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )

    @server.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response
