"""Which addresses the fetcher may ask: public ones, and what `FETCH_ALLOW_HOSTS` names.

A URL is judged twice. `read_target` and `refuse_literal` look at the text alone; `resolve` looks
at what the name stands for, when the connection is made, and returns the very addresses to dial.
"""

import ipaddress
import queue
import re
import socket
import threading
from dataclasses import dataclass

import httpx2
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443}
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291 2.4; all else is special
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052; the last 32 bits are an IPv4 address
# RFC 6761, RFC 6762, RFC 8375, ICANN's resolution of 2024-07-29, and a custom of /etc/hosts.
_LOCAL_NAMES = ("localhost", "local", "home.arpa", "internal", "localdomain")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NUMERIC = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")  # WHATWG URL: "ends in a number"


class RefusedAddressError(Exception):
    """The URL leads to where the fetcher does not go; the message says why."""


class UnresolvedNameError(Exception):
    """The name has no address at the moment; it may have one later."""


@dataclass(frozen=True)
class Target:
    """A URL in the parts that are dialled.

    Attributes:
        host: canonical: lower case, IDNA, no trailing dot; a literal address in its usual form.
        path: with the query, percent-encoded.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def netloc(self) -> str:
        """Host and, where it is not the scheme's own, port; as the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL as it is asked for, without a fragment."""
        return f"{self.scheme}://{self.netloc}{self.path}"


def refuse_literal(url: str) -> str | None:
    """Say why the fetcher would refuse the URL without looking its name up; None if it would not.

    Names are judged when they are fetched: what they stand for may change until then.
    """
    try:
        read_target(url)
    except RefusedAddressError as error:
        return str(error)
    return None


def read_target(url: str) -> Target:
    """Take a URL apart.

    Raises:
        RefusedAddressError: bad scheme, user data, another port than 80 and 443, a host that is
            no name, a name of the own machine or network, or a literal address that is not public
            in whatever spelling; unless `FETCH_ALLOW_HOSTS` lets host and port through.
    """
    target = _take_apart(url)
    if _is_allowed(target.host, target.port):
        return target
    if target.port not in _PORTS.values():
        raise RefusedAddressError(f"port {target.port} is not fetched, only 80 and 443")
    if target.host.endswith(tuple(f".{name}" for name in _LOCAL_NAMES)) or (
        target.host in _LOCAL_NAMES
    ):
        raise RefusedAddressError(f"{target.host} is a name of the own machine or network")
    address = _literal(target.host)
    if address is not None and not is_public(address):
        raise RefusedAddressError(f"{target.host} is not a public address")
    return target


def resolve(host: str, port: int, *, timeout_seconds: float) -> list[str]:
    """Look the name up once and return the addresses that may be dialled, in the order to try.

    Raises:
        RefusedAddressError: one of the addresses is not public. One is enough to refuse them all:
            a name that is public and private at once is a trick or a mistake.
        UnresolvedNameError: no answer, or none in time.
    """
    found = _look_up(host, port, timeout_seconds)
    if not _is_allowed(host, port):
        for address in found:
            if not is_public(ipaddress.ip_address(address)):
                # Which address is told to nobody: senders read this, and could map a network.
                raise RefusedAddressError(f"{host} is not a public address")
    return found


def is_public(address: Address) -> bool:
    """Say whether the address belongs to the public internet, seen through its wrappings.

    `ipaddress` alone does not tell: `is_private` is False for 100.64.0.0/10, and `is_global` is
    True for multicast, NAT64, 6to4 and the IPv4-compatible ::/96.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.sixtofour is not None and not is_public(address.sixtofour):
        return False
    # Teredo (2001::/32) and local NAT64 (64:ff9b:1::/48) are refused here as a whole: nobody
    # publishes pages there.
    return address in _GLOBAL_UNICAST and address.is_global and address.teredo is None


def _take_apart(url: str) -> Target:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise RefusedAddressError(f"is not a URL: {error}") from None
    except ValueError:  # such as half a surrogate pair, or brackets that close nothing
        raise RefusedAddressError("is not a URL") from None
    if parsed.scheme not in _PORTS:
        raise RefusedAddressError("only http and https are fetched")
    if parsed.userinfo:
        raise RefusedAddressError("has a user name or password before the host")
    return Target(
        scheme=parsed.scheme,
        host=_canonical(parsed.raw_host.decode("ascii")),
        port=_PORTS[parsed.scheme] if parsed.port is None else parsed.port,
        path=parsed.raw_path.decode("ascii"),
    )


def _canonical(host: str) -> str:
    host = host.lower().removesuffix(".")
    address = _literal(host)
    if address is not None:
        return str(address)
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise RefusedAddressError("has no host that could be looked up")
    return host


def _literal(host: str) -> Address | None:
    """Read an address in any spelling that a resolver takes; `None` is a name."""
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise RefusedAddressError("has a host that is no IPv6 address") from None
        if address.scope_id is not None:
            raise RefusedAddressError("names an interface of the own machine")
        return address
    if not _NUMERIC.fullmatch(host):
        return None
    try:  # decimal, octal, hexadecimal and shortened forms, as C libraries read them
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        raise RefusedAddressError("has a host that is no IPv4 address") from None


def _is_allowed(host: str, port: int) -> bool:
    return any(
        host == allowed and only in (None, port)
        for allowed, only in map(_read_entry, settings.FETCH_ALLOW_HOSTS)
    )


def _read_entry(entry: str) -> tuple[str, int | None]:
    """Split `host`, `host:port`, `::1` or `[::1]:port`; no port stands for every port."""
    match = re.fullmatch(r"\[([^\]]+)\](?::([0-9]+))?|([^:]+):([0-9]+)|(.+)", entry.strip())
    bracketed, port_after, host, port, bare = match.groups() if match else (None,) * 5
    number = port_after or port
    try:
        return _canonical(bracketed or host or bare or ""), int(number) if number else None
    except RefusedAddressError as error:
        raise ImproperlyConfigured(
            f"FETCH_ALLOW_HOSTS: {entry!r} is neither host nor host:port: {error}"
        ) from None


def _look_up(host: str, port: int, timeout_seconds: float) -> list[str]:
    # getaddrinfo knows no timeout; a thread that is left behind ends with the resolver's own.
    answers: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([str(entry[4][0]) for entry in found])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    try:
        answer = answers.get(timeout=max(timeout_seconds, 0))
    except queue.Empty:
        raise UnresolvedNameError(f"the name {host} was not resolved in time") from None
    if isinstance(answer, Exception) or not answer:
        raise UnresolvedNameError(f"the name {host} has no address: {answer or 'empty answer'}")
    return list(dict.fromkeys(answer))
