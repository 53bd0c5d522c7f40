"""By which names this listener may be called: a web page that has its own name point here is not served.

DNS rebinding needs a name that its attacker controls. Names that only this machine or this network can give, and
addresses spelled out, are none; any other name has to be configured. Ollama's rule, which it keeps on loopback
only, is the same (`server/routes.go`, `allowedHostsMiddleware`).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import gethostname

from relay.domain.errors import InvalidRequest

LOCAL_SUFFIXES = (".localhost", ".local", ".internal")
ANY = "*"

KEPT_VERDICTS = 256
"""Clients send the same Host and Origin with each request: judging one again is a look-up."""

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::[0-9]{0,5})?")


class HostNames:
    """The allow-list. `own` are the names and addresses the listener goes by, `configured` the operator's.

    A configured name is exact, `*.example.com` for every name below, or `*` for any name at all.
    """

    def __init__(self, own: Iterable[str] = (), configured: Iterable[str] = ()) -> None:
        names = {plain_host(name) for name in (*own, *configured)}
        self._is_open = ANY in names
        self._names = frozenset({"localhost", plain_host(gethostname()), *names})
        self._suffixes = (*LOCAL_SUFFIXES, *(name[1:] for name in names if name.startswith("*.")))
        self._verdict = lru_cache(KEPT_VERDICTS)(self._judge)

    def allows(self, host: bytes, address: str) -> bool:
        """Whether the value of a Host field names this relay.

        `address` is the one of ours that the connection came to, which is always a name of ours. Raises
        `InvalidRequest` when the value is no host.
        """
        return self._verdict(host, address)

    def _judge(self, host: bytes, address: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            raise InvalidRequest("the Host header is not a host")
        name = plain_host(match[1].decode())
        literal = _address(name)
        if literal is not None:
            return _is_local(literal) or literal == _address(address) or name in self._names or self._is_open
        return self._is_open or name in self._names or name.endswith(self._suffixes)


def plain_host(name: str) -> str:
    """A host in the form it is compared in: lower-case, without brackets and the dot of the root."""
    return name.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def _is_local(address: IPv4Address | IPv6Address) -> bool:
    return address.is_loopback or address.is_private or address.is_link_local or address.is_unspecified
