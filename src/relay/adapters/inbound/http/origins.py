"""Who may call from a browser: the hosts, the origins and the preflights of CORS, judged before anything else.

Theory of operation. A browser names the page that calls (`Origin`), or at least that it is a stranger
(`Sec-Fetch-Site`), and no page can take these away. So whatever does not come from a page is served as it is; a
page is served when its origin is allowed or is the relay itself, and then told so in headers; any other page is
refused before the request is read, "simple" requests too, whose answer alone the browser would withhold.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from relay.adapters.inbound.http.asgi import RawHeaders, Scope
from relay.adapters.inbound.http.errors import Foreign
from relay.adapters.inbound.http.hosts import KEPT_VERDICTS, HostNames
from relay.domain.errors import InvalidRequest

type Fields = Mapping[bytes, bytes]
"""The header fields that are looked at here, by lower-case name."""

WATCHED = frozenset(
    {
        b"host",
        b"origin",
        b"sec-fetch-site",
        b"access-control-request-headers",
        b"access-control-request-private-network",
    }
)

ANY = "*"
APP_SCHEMES = (
    "app://",
    "file://",
    "tauri://",
    "vscode-webview://",
    "vscode-file://",
    "chrome-extension://",
    "moz-extension://",
    "safari-extension://",
    "safari-web-extension://",
    "ms-browser-extension://",
)
"""Origins of programs that were installed, not visited: desktop applications and browser extensions."""

EXPOSED = (
    "x-request-id",
    "retry-after",
    "x-relay-provider",
    "x-relay-model",
    "x-relay-resolved-by",
    "x-relay-attempts",
    "x-relay-losses",
    "x-relay-cost-usd",
    "x-relay-version",
    "server-timing",
)
"""The headers of an answer that a page may read besides the few it always may."""

MAX_ORIGIN_BYTES = 512

_MAX_AGE_S = 12 * 60 * 60
_METHODS = b"GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
_USUAL_HEADERS = (
    b"authorization",
    b"content-type",
    b"accept",
    b"user-agent",
    b"x-requested-with",
    b"openai-beta",
    b"x-api-key",
    b"x-relay-tags",
)
_MAX_REQUESTED_BYTES = 4096
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._~:\[\]!$&'()*+;=%-]*")
_LOOPBACK = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::[0-9]{1,5})?")
_NUMERIC = re.compile(r"[0-9.:]*")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """An origin with one `*`, which stands for anything; after the begin of a host for numbers only.

    `http://10.0.0.*` and `http://localhost:*` are addresses and ports to whoever writes them, not
    `http://10.0.0.example.com`.
    """

    head: str
    tail: str

    def fits(self, origin: str) -> bool:
        if len(origin) < len(self.head) + len(self.tail):
            return False
        if not (origin.startswith(self.head) and origin.endswith(self.tail)):
            return False
        middle = origin[len(self.head) : len(origin) - len(self.tail)]
        is_beginning = not self.tail and self.head.startswith(("http://", "https://"))
        return not is_beginning or self.head.endswith("://") or _NUMERIC.fullmatch(middle) is not None


class Origins:
    """The allowed origins: pages of this machine, installed programs, and the operator's.

    A configured origin is exact, has one `*` in it, or is `*` for any page there is.
    """

    def __init__(self, configured: Iterable[str] = ()) -> None:
        given = {origin.lower() for origin in configured}
        self.any = ANY in given
        self._exact = frozenset(given)
        parts = (origin.partition("*") for origin in given if "*" in origin and origin != ANY)
        self._patterns = tuple(_Pattern(head, tail) for head, _, tail in parts)
        self._verdict = lru_cache(KEPT_VERDICTS)(self._judge)

    def allows(self, origin: bytes) -> bool:
        """Whether a page of this origin may call; `null`, which any page can bring about, may not."""
        return self.any or (len(origin) <= MAX_ORIGIN_BYTES and self._verdict(origin))

    def _judge(self, value: bytes) -> bool:
        origin = value.decode("latin-1").lower()
        if _ORIGIN.fullmatch(origin) is None:
            return False
        return (
            origin in self._exact
            or origin.startswith(APP_SCHEMES)
            or _LOOPBACK.fullmatch(origin) is not None
            or any(pattern.fits(origin) for pattern in self._patterns)
        )


@dataclass(frozen=True, slots=True)
class Admission:
    """How a request goes on: what every answer to it carries, and whether it is a preflight, answered as such."""

    headers: tuple[tuple[bytes, bytes], ...] = ()
    is_preflight: bool = False


_UNMARKED = Admission()


class BrowserGuard:
    """Both rules together."""

    def __init__(self, hosts: HostNames | None = None, origins: Origins | None = None) -> None:
        self._hosts = hosts or HostNames()
        self._origins = origins or Origins()
        exposed = (b"access-control-expose-headers", ", ".join(EXPOSED).encode())
        self._shared = (exposed, (b"vary", b"Origin"))

    def admit(self, scope: Scope, fields: Fields) -> Admission:
        """Judge a request by its `WATCHED` fields. Raises `InvalidRequest` and `Foreign`."""
        host = fields.get(b"host", b"")
        if host or scope["http_version"] != "1.0":
            self._check_host(host, scope)
        origin, site = fields.get(b"origin"), fields.get(b"sec-fetch-site")
        if origin is None and site is None:
            return _UNMARKED
        is_stranger = site is not None and site.lower() == b"cross-site"
        if origin is None:
            if is_stranger and not self._origins.any:
                raise Foreign("another site's page may not call this relay", code="origin_not_allowed")
            return _UNMARKED
        if self._origins.allows(origin):
            return self._welcome(origin, scope, fields)
        if not is_stranger and origin.lower() in (b"http://" + host.lower(), b"https://" + host.lower()):
            return _UNMARKED
        raise Foreign(
            "pages of this origin may not call this relay: [server] origins names those that may",
            code="origin_not_allowed",
        )

    def _check_host(self, host: bytes, scope: Scope) -> None:
        if not host:
            raise InvalidRequest("the Host header is missing")
        server = scope.get("server")
        if not self._hosts.allows(host, server[0] if server else ""):
            raise Foreign(
                "this relay is not called by this host name: [server] hosts names those it answers to",
                code="host_not_allowed",
            )

    def _welcome(self, origin: bytes, scope: Scope, fields: Fields) -> Admission:
        told = (b"access-control-allow-origin", b"*" if self._origins.any else origin)
        if scope["method"] != "OPTIONS":
            return Admission((told, *self._shared))
        return Admission((told, *_preflight_headers(fields)), is_preflight=True)


def _preflight_headers(fields: Fields) -> RawHeaders:
    requested = _tokens(fields.get(b"access-control-request-headers", b""))
    allowed = dict.fromkeys((*_USUAL_HEADERS, *requested))
    headers = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", b", ".join(allowed)),
        (b"access-control-max-age", b"%d" % _MAX_AGE_S),
        (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    if fields.get(b"access-control-request-private-network", b"").lower() == b"true":
        headers.append((b"access-control-allow-private-network", b"true"))
    return headers


def _tokens(value: bytes) -> list[bytes]:
    """The names of a list of headers, in lower case; none when it is no such list, or longer than any page's."""
    if len(value) > _MAX_REQUESTED_BYTES:
        return []
    names = [name.strip(b" \t").lower() for name in value.split(b",")]
    return names if all(_TOKEN.fullmatch(name) for name in names) else []
