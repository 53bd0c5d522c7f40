"""The rules of single values that their types cannot say."""

import re

_ORIGIN = re.compile(r"\*|(?:[A-Za-z][A-Za-z0-9+.-]*://|\*)[^\s,/]*")
_HOST_NAME = re.compile(r"\*|(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[?[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+\]?")


def wrong_value(key: str, value: object) -> tuple[str, str] | None:
    """Reason and suggestion for a value of the right type that cannot be used."""
    match key, value:
        case "host", str():
            return _wrong_host(value)
        case "url", str():
            return _wrong_database(value)
        case "origins", tuple():
            return next(filter(None, map(wrong_origin, value)), None)
        case "hosts", tuple():
            return next(filter(None, map(_wrong_host_name, value)), None)
        case _:
            return None


def wrong_origin(origin: str) -> tuple[str, str] | None:
    """As `wrong_value`, for one origin: `scheme://host`, with a port if it has one, and at most one `*`."""
    if _ORIGIN.fullmatch(origin) and origin.count("*") <= 1:
        return None
    return (
        "holds what is no origin",
        'Write "https://app.example.com", "https://*.example.com", or "*" for every page there is.',
    )


def _wrong_host_name(name: str) -> tuple[str, str] | None:
    if _HOST_NAME.fullmatch(name):
        return None
    return (
        "holds what is no host name",
        'Write names without scheme and port, such as "relay.example.com" or "*.example.com".',
    )


def _wrong_host(host: str) -> tuple[str, str] | None:
    if re.search(r"[\s/@\[\]]", host):
        return "is not a host", 'Write a name or an address alone, such as "127.0.0.1" or "::1".'
    if host.count(":") == 1:
        return "holds a port", f'Write host = "{host.partition(":")[0]}" and the port as port.'
    return None


def _wrong_database(url: str) -> tuple[str, str] | None:
    how = 'Write "sqlite:///PATH", such as "sqlite:///relay.db".'
    if re.match(r"(?i)(postgres|postgresql)\b", url):
        return "not in this version: PostgreSQL", how
    if not re.fullmatch(r"sqlite:///[^?#]*[^?#/]", url) or url.endswith(":memory:"):
        return "is not the address of an SQLite file", how
    return None
