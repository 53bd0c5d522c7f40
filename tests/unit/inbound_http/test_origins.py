"""Who may call from a browser: origins, foreign pages, preflights, and what a page may read."""

from collections.abc import Mapping
from typing import Any

import pytest

from relay.adapters.inbound.http.errors import Foreign
from relay.adapters.inbound.http.hosts import HostNames
from relay.adapters.inbound.http.origins import Admission, BrowserGuard, Origins
from relay.domain.errors import InvalidRequest
from tests.support.asgi import http_scope

EVIL = "https://evil.example"

ALLOWED = (
    "http://localhost", "http://localhost:5173", "https://localhost:1", "http://127.0.0.1:3000", "https://127.0.0.1",
    "http://0.0.0.0:8080", "http://[::1]:3000", "HTTP://LOCALHOST:3000",
    "app://obsidian.md", "app://-", "file://", "tauri://localhost", "vscode-webview://0a1b2c", "vscode-file://vscode-app",
    "chrome-extension://abcdefghijklmnop", "moz-extension://0f3c-11", "safari-web-extension://x",
)  # fmt: skip

FOREIGN = (
    EVIL, "null", "", "http://localhost.evil.example", "http://localhost:80.evil.example", "http://localhost:", "http://evillocalhost",
    "http://127.0.0.1.evil.example", "http://127.0.0.10", "http://0.0.0.0.evil.example", "http://[::1].evil.example",
    "ftp://localhost", "ws://localhost", "http://192.168.1.20:3000", "http://localhost/", "http://user@localhost",
    "localhost", "//localhost", "http://localhost:123456", "app:x", "javascript://localhost", "app://a b", "app://a,b",
    "app://\u00e9", "http://localhost\x00", "app://" + "a" * 600, "https://box.local",
)  # fmt: skip


def admit(
    fields: Mapping[str, str],
    *,
    method: str = "POST",
    origins: tuple[str, ...] = (),
    hosts: tuple[str, ...] = (),
    **scope: Any,
) -> Admission:
    guard = BrowserGuard(HostNames(configured=hosts), Origins(origins))
    named = {"host": "127.0.0.1:11434", **fields}
    watched = {name.encode(): value.encode("latin-1") for name, value in named.items() if value != "absent"}
    return guard.admit({**http_scope(method, "/api/chat"), **scope}, watched)


def foreign(fields: Mapping[str, str], **more: Any) -> str | None:
    with pytest.raises(Foreign) as refused:
        admit(fields, **more)
    assert refused.value.status == 403
    return refused.value.code


def told(admission: Admission) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in admission.headers}


@pytest.mark.parametrize("origin", ALLOWED)
def test_pages_of_this_machine_and_installed_programs_may_call(origin: str) -> None:
    headers = told(admit({"origin": origin}))
    assert headers["access-control-allow-origin"] == origin
    assert headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_other_page_may(origin: str) -> None:
    assert foreign({"origin": origin}) == "origin_not_allowed"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_a_foreign_page_is_refused_whatever_the_method(method: str) -> None:
    foreign({"origin": EVIL}, method=method)
    foreign({"sec-fetch-site": "cross-site"}, method=method)


def test_what_does_not_come_from_a_page_is_not_marked() -> None:
    assert admit({}) == Admission()
    for site in ("none", "same-origin", "same-site", "unheard-of"):
        assert admit({"sec-fetch-site": site}) == Admission()


@pytest.mark.parametrize("site", ["cross-site", "Cross-Site"])
def test_a_stranger_without_an_origin_is_refused(site: str) -> None:
    assert foreign({"sec-fetch-site": site}, method="GET") == "origin_not_allowed"


def test_an_allowed_origin_counts_more_than_being_of_another_site() -> None:
    assert told(admit({"origin": "app://obsidian.md", "sec-fetch-site": "cross-site"}))


def test_the_relays_own_pages_may_call_it_and_need_no_permission() -> None:
    hosts = ("relay.example.com",)
    for origin in (
        "http://relay.example.com:8443",
        "https://relay.example.com:8443",
        "HTTPS://Relay.Example.com:8443",
    ):
        assert admit({"host": "relay.example.com:8443", "origin": origin}, hosts=hosts) == Admission()
    for origin in (
        "https://relay.example.com",
        "https://relay.example.com:84433",
        "https://x.relay.example.com:8443",
    ):
        foreign({"host": "relay.example.com:8443", "origin": origin}, hosts=hosts)


def test_a_page_that_says_it_is_the_relays_and_comes_from_another_site_is_not() -> None:
    fields = {"host": "relay.local", "origin": "http://relay.local", "sec-fetch-site": "cross-site"}
    foreign(fields)


def test_a_rebound_name_is_refused_though_its_page_is_of_the_same_origin() -> None:
    rebound = {
        "host": "evil.example:11434",
        "origin": "http://evil.example:11434",
        "sec-fetch-site": "same-origin",
    }
    assert foreign(rebound) == "host_not_allowed"


def test_a_configured_origin_is_exact() -> None:
    origins = ("https://app.example.com", "HTTPS://Other.example.com:8443")
    assert told(admit({"origin": "https://app.example.com"}, origins=origins))
    assert told(admit({"origin": "https://other.example.com:8443"}, origins=origins))
    for other in ("http://app.example.com", "https://app.example.com:8443", "https://x.app.example.com",
                  "https://app.example.com.evil.example", "https://appXexample.com"):  # fmt: skip
        foreign({"origin": other}, origins=origins)
    assert admit({"origin": "http://localhost:3000"}, origins=origins).headers, "the usual ones stay allowed"


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("https://*.example.com", ["https://a.example.com", "https://a.b.example.com"],
         ["https://example.com", "https://evilexample.com", "http://a.example.com", "https://a.example.com:1"]),
        ("*.example.com", ["https://a.example.com", "http://b.example.com"], ["https://a.example.com.evil"]),
        ("http://10.0.0.*", ["http://10.0.0.7", "http://10.0.0.7:3000"], ["http://10.0.0.evil.example", "http://10.0.1.7"]),
        ("http://box.lan:*", ["http://box.lan:1", "http://box.lan:65000"], ["http://box.lan", "http://box.lan:x", "http://box.lan:1.evil.example"]),
        ("http://box.lan*", ["http://box.lan", "http://box.lan:3000"], ["http://box.lan.evil.example"]),
        ("https://*", ["https://a.example", "https://b.example:1"], ["http://a.example", "null"]),
        ("capacitor://*", ["capacitor://localhost"], ["capacitor:x"]),
        ("https://a*a.example", ["https://aa.example", "https://abba.example"], ["https://a.example"]),
    ],
)  # fmt: skip
def test_a_star_stands_for_what_its_operator_means(
    pattern: str, fits: list[str], fits_not: list[str]
) -> None:
    origins = Origins([pattern])
    assert [origin for origin in fits if not origins.allows(origin.encode())] == []
    assert [origin for origin in fits_not if origins.allows(origin.encode())] == []


def test_a_lone_star_is_every_page_and_never_comes_with_credentials() -> None:
    for fields in ({"origin": EVIL}, {"origin": "null"}, {"origin": EVIL, "sec-fetch-site": "cross-site"}):
        headers = told(admit(fields, origins=("*",)))
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers
    assert admit({"sec-fetch-site": "cross-site"}, origins=("*",)) == Admission()
    assert foreign({"host": "evil.example"}, origins=("*",)) == "host_not_allowed"


def test_a_preflight_is_told_everything_at_once() -> None:
    admission = admit({"origin": "app://obsidian.md"}, method="OPTIONS")
    headers = told(admission)
    assert admission.is_preflight
    assert headers["access-control-allow-origin"] == "app://obsidian.md"
    assert headers["access-control-allow-methods"] == "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
    assert {"authorization", "content-type"} <= set(headers["access-control-allow-headers"].split(", "))
    assert headers["access-control-max-age"] == "43200"
    assert headers["vary"].startswith("Origin, ")
    assert "access-control-allow-private-network" not in headers
    assert "access-control-allow-credentials" not in headers


def allowed_headers(requested: str) -> list[str]:
    fields = {"origin": "http://localhost:1", "access-control-request-headers": requested}
    return told(admit(fields, method="OPTIONS"))["access-control-allow-headers"].split(", ")


def test_the_headers_a_page_wants_to_send_are_allowed() -> None:
    allowed = allowed_headers("x-stainless-os,foo-bar,  Anthropic-Version ,content-type")
    assert {"x-stainless-os", "foo-bar", "anthropic-version", "authorization"} <= set(allowed)
    assert allowed.count("content-type") == 1


@pytest.mark.parametrize(
    "requested", ["a b", "x-a,,x-b", "x:y", "x-a\x00", "", ",", "\xe9", "x-a, " * 2000, "(x)"]
)
def test_what_is_no_list_of_headers_is_not_echoed(requested: str) -> None:
    assert allowed_headers(requested) == allowed_headers("content-type")


def test_only_an_allowed_page_reaches_into_a_private_network() -> None:
    asks = {"access-control-request-private-network": "true"}
    headers = told(admit({"origin": "http://localhost:1", **asks}, method="OPTIONS"))
    assert headers["access-control-allow-private-network"] == "true"
    foreign({"origin": EVIL, **asks}, method="OPTIONS")


def test_without_a_host_only_the_protocol_that_knows_none_is_served() -> None:
    assert admit({"host": "absent"}, http_version="1.0") == Admission()
    foreign({"host": "absent", "origin": EVIL}, http_version="1.0")
    for version in ("1.1", "2", "0.9"):
        with pytest.raises(InvalidRequest):
            admit({"host": "absent"}, http_version=version)
    with pytest.raises(InvalidRequest):
        admit({"host": ""})


def test_a_server_without_an_address_judges_by_names_alone() -> None:
    assert admit({"host": "localhost"}, server=None) == Admission()
    foreign({"host": "8.8.8.8"}, server=None)
