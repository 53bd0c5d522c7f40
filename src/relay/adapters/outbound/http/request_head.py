"""Writes the head of a request once, for every request that shares it, and refuses what HTTP/1.1 cannot carry."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from relay.adapters.outbound.http.breaks import unfit_for_http, unreachable

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VALUE = re.compile(r"[\x20-\x7e\t]*")
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)
"""What a message is framed by, and what is asked for in its answer, is the client's to say."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNQUOTED = "!$%&'()*+,-./:;=?@[]_~"


class Origin(NamedTuple):
    """Whom a connection leads to."""

    host: str
    port: int
    is_tls: bool


class EncodedHead(NamedTuple):
    """Where a request goes, and its head as bytes up to the fields that differ from one to the next."""

    origin: Origin
    start: bytes


def encode_head(method: str, url: str, headers: Mapping[str, str]) -> EncodedHead:
    """Raises `Unreachable` when the address is none or a header cannot be sent."""
    origin, host, target = _split(url)
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", "accept-encoding: identity"]
    for name, value in headers.items():
        if not is_callers_field(name) or not _VALUE.fullmatch(value):
            raise unfit_for_http()
        lines.append(f"{name}: {value}")
    return EncodedHead(origin, ("\r\n".join(lines) + "\r\n").encode("ascii"))


def is_callers_field(name: str) -> bool:
    """True for the name of a field that a caller may set."""
    return _TOKEN.fullmatch(name) is not None and name.lower() not in _OURS


def check_request_id(request_id: str) -> None:
    """Raises `Unreachable` for an id that is no value of a header."""
    if not (request_id.isascii() and request_id.isprintable()):
        raise unfit_for_http()


def _split(url: str) -> tuple[Origin, str, str]:
    """Whom to connect to, the `host` field and the target. A fragment is not sent; what needs it is quoted."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna" if not (parts.hostname or "").isascii() else "ascii")
    except ValueError:
        raise unfit_for_http() from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise unreachable("its address is neither http nor https")
    name = host.decode("ascii")
    if not name or " " in name or "@" in parts.netloc or _CONTROL.search(url):
        raise unfit_for_http()
    target = quote(parts.path or "/", safe=_UNQUOTED)
    if parts.query:
        target = f"{target}?{quote(parts.query, safe=_UNQUOTED)}"
    shown = f"[{name}]" if ":" in name else name
    default = _DEFAULT_PORTS[parts.scheme]
    field = shown if port in (None, default) else f"{shown}:{port}"
    return Origin(name, default if port is None else port, parts.scheme == "https"), field, target
