"""Who is answered: decided from a request's first lines, before any of its body is read."""

import base64
import binascii
import hmac
import ipaddress
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.utilities import Error

LARGEST_BODY = 2 << 20  # bytes; a view with a long prompt takes some ten thousand
LARGEST_FILE = 64 << 20  # of a result that is opened in the page
FILES = "/_engine/open"  # where it is sent
CONNECTIONS = 100  # above this, those that wait for nothing make room for new ones
LIMITS = {
    "inbuf_overflow": LARGEST_BODY,  # only files that are opened are written to the disk
    "connection_limit": 4 * CONNECTIONS,
    "channel_timeout": 30,
    "cleanup_interval": 5,
}
_FREE_GUESSES, _LONGEST_WAIT, _ADDRESSES = 5, 60.0, 1000


class Refusal(Error):
    """An answer in place of the application's."""

    def __init__(self, code: int, reason: str, body: str, *headers: tuple[str, str]) -> None:
        super().__init__(body)
        self.code, self.reason, self._headers = code, reason, headers

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Status, headers and body."""
        status, headers, _ = super().to_response(ident)
        return status, [*headers, ("X-Content-Type-Options", "nosniff"), *self._headers], self.body.encode()


@dataclass
class Brake:
    """Slows down whoever guesses passwords: after a few wrong ones, an address waits twice as long for each."""

    _wrong: dict[str, tuple[int, float]] = field(default_factory=dict)  # how many, and when the next may come

    def wait(self, address: str) -> float:
        """Seconds until an address may try again."""
        return self._wrong.get(_network(address), (0, 0.0))[1] - time.monotonic()

    def note(self, address: str, right: bool) -> None:
        """Record an attempt with a password."""
        count, _ = self._wrong.pop(_network(address), (0, 0.0))
        if not right:
            wait = min(_LONGEST_WAIT, 2.0 ** (count + 1 - _FREE_GUESSES)) if count + 1 >= _FREE_GUESSES else 0.0
            self._wrong[_network(address)] = count + 1, time.monotonic() + wait
            while len(self._wrong) > _ADDRESSES:
                self._wrong.pop(next(iter(self._wrong)))


@dataclass(frozen=True)
class Guard:
    """What other sites could send through the person's browser is refused, and what comes without the password.

    `hosts` are the names that the page is reached by; None where any may be.
    """

    hosts: frozenset[str] | None
    password: str | None = None
    brake: Brake = field(default_factory=Brake)

    def refusal(self, method: str, headers: Mapping[str, str], address: str) -> Refusal | None:
        """Why a request is not answered; None if it is. Headers are named as in a WSGI environment."""
        host = headers.get("HOST", "").lower()
        if self.hosts is not None and host not in self.hosts:
            return Refusal(403, "Forbidden", "this address is not served here")  # DNS rebinding
        origin = headers.get("ORIGIN")
        if (origin is not None and origin.lower() != f"http://{host}") or _is_foreign(method, headers):
            return Refusal(403, "Forbidden", "requests from other sites are refused")
        return self._password_refusal(headers.get("AUTHORIZATION"), address) if self.password else None

    def _password_refusal(self, credentials: str | None, address: str) -> Refusal | None:
        wait = self.brake.wait(address)
        if credentials is not None and wait > 0:
            after = ("Retry-After", str(int(wait) + 1))
            return Refusal(429, "Too Many Requests", "too many wrong passwords; try again later", after)
        right = credentials is not None and _knows(self.password or "", credentials)
        if credentials is not None:
            self.brake.note(address, right)
        challenge = ("WWW-Authenticate", 'Basic realm="interp"')
        return None if right else Refusal(401, "Unauthorized", "a password is needed", challenge)


class GuardedParser(HTTPRequestParser):
    """Reads a request, and its body only if the guard lets it pass."""

    def __init__(self, adj: Any, *, guard: Guard, address: str) -> None:
        super().__init__(adj)
        self._guard, self._address = guard, address

    def received(self, data: bytes) -> int:
        """Consume received bytes; returns how many."""
        in_header = not self.headers_finished
        size = super().received(data)
        if in_header and self.headers_finished and not self.empty and self.error is None:
            self.error = self._guard.refusal(str(self.command), self.headers, self._address)
        limit = LARGEST_FILE if getattr(self, "path", "") == FILES else LARGEST_BODY
        if self.error is None and max(self.content_length, self.body_bytes_received) > limit:
            self.error = Refusal(413, "Content Too Large", f"a request may have {limit >> 20} MiB")
        if self.error is not None:
            self.expect_continue, self.completed = False, True
        return size


class GuardedChannel(HTTPChannel):
    """A connection; when there are too many, the longest idle ones are closed, first those without a request."""

    served = False

    def __init__(self, server: Any, connection: Any, address: Any, *more: Any, guard: Guard, **settings: Any) -> None:
        super().__init__(server, connection, address, *more, **settings)
        self.parser_class: Any = partial(GuardedParser, guard=guard, address=str(address[0]))
        others = [each for each in server.active_channels.values() if each is not self and not each.will_close]
        idle = sorted((each for each in others if not each.requests), key=lambda each: each.age)
        for each in idle[: max(0, len(others) + 1 - CONNECTIONS)]:
            each.will_close = True

    @property
    def age(self) -> tuple[bool, float]:
        """What has the smallest goes first."""
        return self.served, self.last_activity if self.served else self.creation_time

    def service(self) -> None:
        """Answer one request."""
        super().service()
        self.served = True


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def hosts_of(host: str, port: int) -> frozenset[str] | None:
    """The names by which a page on a loopback address is reached; None for a public address, which may have any."""
    if not is_loopback(host):
        return None
    names = {"localhost", "127.0.0.1", "[::1]", bracketed(host).lower()}
    return frozenset(f"{name}:{port}" for name in names) | (frozenset(names) if port == 80 else frozenset())


def bracketed(host: str) -> str:
    """A host as a URL writes it."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_foreign(method: str, headers: Mapping[str, str]) -> bool:
    """Whether the browser says that another site asks; following a link to the page is not that."""
    follows_a_link = method == "GET" and headers.get("SEC_FETCH_MODE") == "navigate"
    follows_a_link = follows_a_link and headers.get("SEC_FETCH_DEST") == "document"
    return headers.get("SEC_FETCH_SITE", "none") not in ("same-origin", "none") and not follows_a_link


def _knows(password: str, header: str) -> bool:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        guess = base64.b64decode(encoded, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(guess, password.encode())


def _network(address: str) -> str:
    """An address; of an IPv6 address, the /64 network, which its holder has all of."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else address
