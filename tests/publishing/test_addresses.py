"""Which URLs and addresses the fetcher may ask."""

import socket
from ipaddress import ip_address
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from publishing.fetching.addresses import (
    RefusedAddressError,
    UnresolvedNameError,
    is_public,
    read_target,
    refuse_literal,
    resolve,
)

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:808:808::1",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]

LOCAL = " is a name of the own machine or network"
REFUSED = [
    ("ftp://example.org/", "only http and https are fetched"),
    ("file:///etc/passwd", "only http and https are fetched"),
    ("javascript:alert(1)", "only http and https are fetched"),
    ("example.org/page", "only http and https are fetched"),
    ("http:///page", "has no host that could be looked up"),
    ("http://user@example.org/", "has a user name or password before the host"),
    ("http://user:word@example.org/", "has a user name or password before the host"),
    ("http://example.org\\@127.0.0.1/", "has a user name or password before the host"),
    ("http://example.org:8080/", "port 8080 is not fetched, only 80 and 443"),
    ("http://example.org:22/", "port 22 is not fetched, only 80 and 443"),
    ("http://localhost/", "localhost" + LOCAL),
    ("http://LOCALHOST./", "localhost" + LOCAL),
    ("http://a.localhost/", "a.localhost" + LOCAL),
    ("http://localhost.localdomain/", "localhost.localdomain" + LOCAL),
    ("http://printer.local/", "printer.local" + LOCAL),
    ("http://metadata.google.internal/", "metadata.google.internal" + LOCAL),
    ("http://127.0.0.1/", "127.0.0.1 is not a public address"),
    ("http://127.0.0.1./", "127.0.0.1 is not a public address"),
    ("http://127.1/", "127.0.0.1 is not a public address"),
    ("http://2130706433/", "127.0.0.1 is not a public address"),
    ("http://0x7f.1/", "127.0.0.1 is not a public address"),
    ("http://0x7f000001/", "127.0.0.1 is not a public address"),
    ("http://0X7F.0.0.1/", "127.0.0.1 is not a public address"),
    ("http://017700000001/", "127.0.0.1 is not a public address"),
    ("http://0/", "0.0.0.0 is not a public address"),
    ("http://127。0。0。1/", "127.0.0.1 is not a public address"),
    ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is not a public address"),
    ("http://999999999999/", "has a host that is no IPv4 address"),
    ("http://1.2.3.4.5/", "has a host that is no IPv4 address"),
    ("http://example.0x7f/", "has a host that is no IPv4 address"),
    ("http://[::1]/", "::1 is not a public address"),
    ("http://[::ffff:127.0.0.1]/", "::ffff:7f00:1 is not a public address"),
    ("http://[::ffff:7f00:1]:80/", "::ffff:7f00:1 is not a public address"),
    ("http://127%2e0.0.1/", "has a host that is no IPv4 address"),
    ("http://exam ple.org/", "has no host that could be looked up"),
]  # fmt: skip


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and their addresses; what is not in it has none. Real DNS is not ours to ask."""
    known: dict[str, list[str]] = {}

    def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_told_in_every_wrapping(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(("url", "reason"), REFUSED)
def test_a_url_is_refused_without_a_look_up(
    url: str, reason: str, answers: dict[str, list[str]]
) -> None:
    assert refuse_literal(url) == reason


@pytest.mark.parametrize(
    "url",
    [
        "http://0177.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1/",
        "http://a:b/",
        "http://exa\x00mple.org/",
        "http://\uff11\uff12\uff17.0.0.1/",
    ],
)
def test_a_url_that_no_parser_should_take_is_refused(url: str) -> None:
    assert refuse_literal(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "https://example.org:443/a?b=c#d",
        "http://93.184.216.34/",
        "https://[2606:2800:220:1::1]/",
        "https://bücher.example/",
        "https://my_shop.example.org./",
        "http://intranet/",  # a name: what it stands for is seen when it is fetched
    ],
)
def test_a_url_of_the_public_web_is_not_refused(url: str) -> None:
    assert refuse_literal(url) is None


def test_a_target_is_canonical() -> None:
    target = read_target("HTTPS://BÜCHER.Example.:443/a b?q=ü#part")
    assert target.url == "https://xn--bcher-kva.example/a%20b?q=%C3%BC"
    assert target.netloc == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("entry", "passing", "refused"),
    [
        ("127.0.0.1:8001", "http://127.0.0.1:8001/", "http://127.0.0.1:8002/"),
        ("localhost", "http://localhost:9/", "http://127.0.0.1/"),
        ("[::1]:8001", "http://[::1]:8001/", "http://[::1]:8002/"),
        ("::1", "http://[::1]:8002/", "http://[::2]:8002/"),
        ("Sources.Example:8001", "http://sources.example:8001/", "http://sources.example:8002/"),
    ],
)
def test_an_allowed_host_passes_and_its_neighbour_does_not(
    entry: str, passing: str, refused: str, settings: Settings
) -> None:
    settings.FETCH_ALLOW_HOSTS = [entry]
    assert refuse_literal(passing) is None
    assert refuse_literal(refused)


def test_an_allowed_host_is_still_bound_to_http(settings: Settings) -> None:
    settings.FETCH_ALLOW_HOSTS = ["127.0.0.1"]
    assert refuse_literal("ftp://127.0.0.1/") == "only http and https are fetched"
    assert refuse_literal("http://a@127.0.0.1/") == "has a user name or password before the host"


def test_an_unreadable_entry_of_the_allow_list_is_an_error(settings: Settings) -> None:
    settings.FETCH_ALLOW_HOSTS = ["http://sources.example"]
    with pytest.raises(ImproperlyConfigured, match="neither host nor host:port"):
        refuse_literal("http://example.org/")


def test_a_name_that_stands_for_a_private_address_is_refused(
    answers: dict[str, list[str]],
) -> None:
    answers["pages.example"] = ["10.0.0.7"]
    with pytest.raises(RefusedAddressError, match=r"^pages.example is not a public address$"):
        resolve("pages.example", 80, timeout_seconds=10)


def test_one_private_address_among_public_ones_refuses_the_name(
    answers: dict[str, list[str]],
) -> None:
    answers["pages.example"] = ["93.184.216.34", "127.0.0.1"]
    with pytest.raises(RefusedAddressError):
        resolve("pages.example", 80, timeout_seconds=10)


def test_public_addresses_come_in_the_order_of_the_resolver(answers: dict[str, list[str]]) -> None:
    answers["pages.example"] = ["93.184.216.34", "8.8.8.8", "93.184.216.34"]
    assert resolve("pages.example", 80, timeout_seconds=10) == ["93.184.216.34", "8.8.8.8"]


def test_an_allowed_name_may_stand_for_a_private_address(
    answers: dict[str, list[str]], settings: Settings
) -> None:
    settings.FETCH_ALLOW_HOSTS = ["pages.example:8001"]
    answers["pages.example"] = ["10.0.0.7"]
    assert resolve("pages.example", 8001, timeout_seconds=10) == ["10.0.0.7"]
    with pytest.raises(RefusedAddressError):
        resolve("pages.example", 80, timeout_seconds=10)


def test_a_name_without_an_address_is_told_apart_from_a_refused_one(
    answers: dict[str, list[str]],
) -> None:
    with pytest.raises(UnresolvedNameError, match=r"pages\.example has no address"):
        resolve("pages.example", 80, timeout_seconds=10)
