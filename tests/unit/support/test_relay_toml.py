"""Written configuration reads back as what was written."""

import tomllib
from pathlib import Path

import pytest

from tests.support.relay_toml import Toml, toml_text, write_relay_toml


@pytest.mark.parametrize(
    "settings",
    [
        {"server": {"host": "127.0.0.1", "port": 11434}, "admin": {"enabled": False}},
        {
            "providers": {
                "up": {"kind": "openai-compatible", "base_url": 'http://x/"v1"', "models": ["a", "b?c=1"]}
            }
        },
        {"models": {"gpt-4": {"redirect": "x"}, "dotted.name ü": {"target": "up/basic?chunks=8"}}},
        {"models": {"fast": {"targets": [{"model": "a", "weight": 3}, {"model": "b"}], "policy": "ordered"}}},
        {"models": {"empty": {}}, "auth": {"mode": "open"}, "numbers": {"a": 1.5, "b": -3}},
    ],
)
def test_settings_survive_the_way_through_toml(settings: dict[str, Toml], tmp_path: Path) -> None:
    assert tomllib.loads(toml_text(settings)) == settings
    file = write_relay_toml(tmp_path / "new", settings)
    assert (file.name, tomllib.loads(file.read_text("utf-8"))) == ("relay.toml", settings)


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    assert write_relay_toml(tmp_path, "not = [toml").read_text("utf-8") == "not = [toml"
