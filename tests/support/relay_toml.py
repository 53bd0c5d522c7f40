"""Writes configuration files: plain mappings, lists and scalars as TOML."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

type Toml = str | int | float | bool | Sequence[Toml] | Mapping[str, Toml]


def write_relay_toml(folder: Path, settings: Mapping[str, Toml] | str) -> Path:
    """Write `relay.toml` into the folder, from settings or from text as it is, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "relay.toml"
    file.write_text(settings if isinstance(settings, str) else toml_text(settings), encoding="utf-8")
    return file


def toml_text(settings: Mapping[str, Toml]) -> str:
    """The settings as a TOML document."""
    return "\n".join(_table("", settings)) + "\n"


def _table(name: str, table: Mapping[str, Toml]) -> Iterator[str]:
    scalars = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if name and (scalars or not table):
        yield f"[{name}]"
    for key, scalar in scalars.items():
        yield f"{_key(key)} = {_value(scalar)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _table(f"{name}.{_key(key)}".lstrip("."), value)


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _value(value: Toml) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, str | int | float):
        # JSON's strings, numbers and booleans are TOML's, too.
        return json.dumps(value, ensure_ascii=False)
    return "[" + ", ".join(_value(item) for item in value) + "]"
