"""The rules of single values that their types cannot say."""

import re


def wrong_value(key: str, value: object) -> tuple[str, str] | None:
    """Reason and suggestion for a value of the right type that cannot be used."""
    match key, value:
        case "host", str():
            return _wrong_host(value)
        case "url", str():
            return _wrong_database(value)
        case _:
            return None


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
