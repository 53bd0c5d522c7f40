"""The forerunner's YAML of model overrides, as sections that the relay reads."""

import tomllib
from pathlib import Path

import pytest

from relay.adapters.outbound.providers.override_import import UnreadableRules, imported
from relay.adapters.outbound.providers.quirks import overlaid
from relay.configuration import examine

RULES = b"""
openai:
  patterns:
    "o3*":
      use_max_completion_tokens: true
      supports_system_prompt: false
      unsupported_params: [temperature, top_p]
      reason: "reasoning models \\"o\\""
  models:
    gpt-5-nano:
      unsupported_params: [temperature]
    "odd[1]":
      disabled: true
google:
  defaults: {max_price: 3, supports_system_prompt: true}
perplexity:
  patterns:
    - pattern: "pplx-*"
      disabled: true
mistral: nothing
"""


def test_every_rule_becomes_a_section_that_is_read(tmp_path: Path) -> None:
    toml, remarks = imported(RULES)
    assert list(tomllib.loads(toml)["overrides"]) == [
        "openai/o3*", "openai/gpt-5-nano", "openai/odd[[]1[]]", "perplexity/pplx-*",
    ]  # fmt: skip
    assert remarks == ("gemini/*: max_price has no place in relay.toml", "mistral: no table of rules")
    file = tmp_path / "relay.toml"
    file.write_text('[providers.openai]\napi_key = "k"\n' + toml, "utf-8")
    configuration = examine(file=file, environment={}).accepted()
    [spec] = configuration.providers
    quirks = overlaid(quirks for pattern, quirks in spec.overrides if pattern == "o3*")
    assert quirks.drop == ("temperature", "top_p")
    assert quirks.rename == {"max_tokens": "max_completion_tokens"}
    assert quirks.instructions == "in_prompt"
    assert [override.pattern for override in configuration.overrides if override.is_disabled] == [
        "openai/odd[[]1[]]", "perplexity/pplx-*",
    ]  # fmt: skip


def test_providers_may_stand_below_a_key_of_that_name() -> None:
    assert imported(b"providers:\n  openai:\n    models: {a: {disabled: true}}\n")[0] == (
        '[overrides."openai/a"]\ndisabled = true\n\n'
    )


@pytest.mark.parametrize("data", [b"", b"[1]", b"a: [", b"providers: 3", b"\xff\xfe", b"text"])
def test_what_is_no_file_of_overrides_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableRules):
        imported(data)
