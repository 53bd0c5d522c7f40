"""Host names: which ones are the relay's own, and which could be anybody's."""

from socket import gethostname

import pytest

from relay.adapters.inbound.http.hosts import HostNames
from relay.domain.errors import InvalidRequest

HERE = "127.0.0.1"


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LocalHost:11434", "localhost.", "localhost:",
        "relay.localhost", "box.local", "relay.internal:80", "a.b.c.internal",
        "127.0.0.1", "127.0.0.1:11434", "127.8.9.1", "0.0.0.0:11434", "[::1]", "[::1]:11434", "[::]",
        "10.0.0.7", "172.16.3.4:1", "192.168.1.20", "169.254.1.1", "[fe80::1]", "[fd00::7]:11434",
        "[::ffff:127.0.0.1]",
    ],
)  # fmt: skip
def test_names_and_addresses_of_this_machine_and_network_are_the_relays(host: str) -> None:
    assert HostNames().allows(host.encode(), HERE)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:11434", "localhost.evil.example", "127.0.0.1.evil.example", "relay",
        "notlocalhost", "evillocal", "local", "internal", "8.8.8.8", "[2606:4700::1]", "127.1", "0x7f000001",
        "2130706433", "xn--lcalhost-64a",
    ],
)  # fmt: skip
def test_a_name_that_anybody_may_own_is_not(host: str) -> None:
    assert not HostNames().allows(host.encode(), HERE)


@pytest.mark.parametrize(
    "host",
    [
        b"a b", b"a,b", b"user@localhost", b"localhost/x", b"localhost:http", b"localhost:123456", b"http://localhost",
        b"[::1", b"::1", b"[localhost]", b"localhost\x00", b"\xff", b"a" * 256, b":11434", b"*", b"[]",
    ],
)  # fmt: skip
def test_what_is_no_host_is_malformed(host: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        HostNames().allows(host, HERE)
    assert refused.value.status == 400


def test_the_machines_own_name_is_the_relays() -> None:
    assert HostNames().allows(f"{gethostname().upper()}:11434".encode(), HERE)


def test_the_name_and_the_address_it_listens_on_are_the_relays() -> None:
    hosts = HostNames(own=("relay.example.com", "2001:db8:1::5"))
    assert hosts.allows(b"relay.example.com:11434", HERE)
    assert hosts.allows(b"[2001:DB8:1:0::5]", HERE)
    assert not hosts.allows(b"other.example.com", HERE)


def test_the_address_a_connection_came_to_is_the_relays_there_and_nowhere_else() -> None:
    hosts = HostNames()
    assert hosts.allows(b"8.8.4.4:11434", "8.8.4.4")
    assert not hosts.allows(b"8.8.4.4:11434", "10.0.0.1")
    assert not hosts.allows(b"8.8.4.4:11434", "")


def test_configured_names_are_exact_or_everything_below_a_name() -> None:
    hosts = HostNames(configured=("relay", "LLM.example.com", "*.lab.example.com", "8.8.4.4"))
    for allowed in (
        b"relay:11434",
        b"llm.example.com",
        b"a.lab.example.com",
        b"a.b.lab.example.com",
        b"8.8.4.4",
    ):
        assert hosts.allows(allowed, HERE), allowed
    for other in (b"relay.evil.example", b"x.llm.example.com", b"lab.example.com", b"evillab.example.com"):
        assert not hosts.allows(other, HERE), other


def test_only_the_operators_star_lets_in_every_name_and_still_only_names() -> None:
    hosts = HostNames(configured=("*",))
    assert hosts.allows(b"evil.example", HERE)
    assert hosts.allows(b"8.8.8.8", HERE)
    with pytest.raises(InvalidRequest):
        hosts.allows(b"a b", HERE)


def test_a_verdict_that_is_asked_for_again_is_the_same() -> None:
    hosts = HostNames()
    for _ in range(3):
        for number in range(400):
            assert hosts.allows(b"10.0.0.%d" % (number % 256), HERE)
            assert not hosts.allows(b"evil%d.example" % number, HERE)
