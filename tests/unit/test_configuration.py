"""The configuration as a whole: providers and settings together, and what is wrong between them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from relay.configuration import Examined, examine
from relay.settings import ConfigurationError


def examined(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> Examined:
    file = folder / "relay.toml"
    file.write_text(text, "utf-8")
    return examine(file=file, environment=environment or {})


def said(examined: Examined) -> list[str]:
    return [str(mistake).rpartition("relay.toml:")[2] for mistake in examined.mistakes]


def test_the_providers_of_the_file_come_before_those_of_the_environment(tmp_path: Path) -> None:
    text = '[providers.z]\nkind = "groq"\n[providers.Mistral]\nkind = "mistral"\nmodels = ["m"]\n'
    environment = {"OPENAI_API_KEY": "sk-x", "MISTRAL_API_KEY": "x"}
    configuration = examined(tmp_path, text, environment).accepted()
    assert [spec.name for spec in configuration.providers] == ["z", "Mistral", "openai"]
    assert configuration.providers[1].models == ("m",)


def test_mistakes_of_settings_and_providers_are_one_list_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = '[providers.a]\nkind = "olama"\n[server]\nport = "x"\n[providers.b]\nkind = "opneai"\n'
    with pytest.raises(ConfigurationError) as caught:
        examined(tmp_path, text).accepted()
    assert [mistake.line for mistake in caught.value.mistakes] == [2, 4, 6]


def test_every_mistake_of_one_provider_is_told(tmp_path: Path) -> None:
    text = (
        '[providers.a]\nkind = "openai-compatible"\nbase_url = "ftp://x"\napi_key = "env:a-b"\n'
        'modles = []\nmax_in_flight = 0\non_disconnect = "stop"\nquirks = { drop = 3 }\n'
    )
    assert sorted(said(examined(tmp_path, text))) == [
        "3:12: [providers.a] base_url: an address begins with http:// or https:// and names a host. "
        'Write it as its vendor does, such as "http://10.0.0.8:8000/v1".',
        '4:11: [providers.a] api_key: names no variable. Write "env:NAME", such as "env:OPENAI_API_KEY".',
        '5:1: [providers.a] modles: unknown key. Did you mean "models"?',
        "6:17: [providers.a] max_in_flight: is out of range. It is at least 1.",
        '7:17: [providers.a] on_disconnect: must be "cancel" or "drain". Such as "cancel".',
        "8:19: [providers.a] quirks.drop: must be a list, not a whole number. Put it in brackets.",
    ]


def test_a_wrong_address_is_not_called_missing_as_well(tmp_path: Path) -> None:
    text = '[providers.a]\nkind = "openai-compatible"\nbase_url = 3\n'
    assert said(examined(tmp_path, text)) == [
        "3:12: [providers.a] base_url: must be a text, not a whole number. Put it in quotes."
    ]


@pytest.mark.parametrize("reference", ["env:NOT_SET", "sk-literal", "env:_a1"])
def test_a_key_that_is_not_there_yet_is_no_mistake(tmp_path: Path, reference: str) -> None:
    assert said(examined(tmp_path, f'[providers.groq]\napi_key = "{reference}"\n')) == []


def test_a_file_with_a_key_that_can_be_read_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("gsk")
    assert said(examined(tmp_path, f'[providers.groq]\napi_key = "file:{tmp_path}/key"\n')) == []
    (mistake,) = examined(tmp_path, f'[providers.groq]\napi_key = "file:{tmp_path}"\n').mistakes
    assert mistake.reason == "names a file that cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("$OPENAI_API_KEY", "is a variable as a shell writes it"),
        ("ENV:OPENAI_API_KEY", "is no key"),
        ("env : X", "names no variable"),
        ("file:\\u0000", "names a file that cannot be read: not a path"),
        ("file:~nobody-of-this-name/key", "names a file that cannot be read: not a path"),
        ("  ", "is empty"),
    ],
)
def test_a_reference_to_a_key_that_leads_nowhere_is_refused(
    tmp_path: Path, reference: str, reason: str
) -> None:
    (mistake,) = examined(tmp_path, f'[providers.groq]\napi_key = "{reference}"\n').mistakes
    assert mistake.reason == reason


def test_the_variable_that_holds_no_address_is_named() -> None:
    environment = {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "http://k:pw-canary@h", "FOO_BASE_URL": "?"}
    (mistake,) = examine(file=None, environment={**environment, "XDG_CONFIG_HOME": "nowhere"}).mistakes
    assert str(mistake) == "environment: OPENAI_BASE_URL: an address holds no credentials. Use api_key."


def test_a_provider_at_the_relays_own_address_is_refused_where_it_really_listens(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text('[providers.a]\nkind = "ollama"\nbase_url = "http://127.0.0.1:5000"\n')
    assert examine(file=file, environment={}).mistakes == ()
    (mistake,) = examine(file=file, environment={}, listening=("127.0.0.1", 5000)).mistakes
    assert mistake.reason == "this is the relay's own address"


@pytest.mark.parametrize(
    ("target", "suggestion"),
    [
        ("hoem/x", 'Did you mean "home/x"?'),
        ("hom/x", None),
        ("homes/x", 'Did you mean "home/x"?'),
        ("hime/x", 'Did you mean "home/x"?'),
        ("opnai/gpt-5", 'Did you mean "openai/gpt-5"?'),
        ("grok/llama", 'Did you mean "groq/llama"?'),
        ("HOME/x", None),
        ("home", None),
        ("hoem", None),
        ("x-ai/grok-4", None),
        ("mistralai/Mixtral-8x7B", None),
        ("deepseek-ai/DeepSeek-V3", None),
        ("meta-llama/Llama-3.3-70B", None),
        ("hf.co/a/b", None),
        ("chat/gpt", None),
        ("chta/gpt", 'Did you mean "chat/gpt"?'),
    ],
)
def test_a_target_of_a_mistyped_provider_is_refused_and_the_names_of_vendors_are_not(
    tmp_path: Path, target: str, suggestion: str | None
) -> None:
    """What a provider will list is not known here: only a slip of the pen is."""
    providers = (
        '[providers.home]\nkind = "ollama"\nbase_url = "http://h"\n[models."chat/gpt"]\ntarget = "x"\n'
    )
    for text in (
        f'[models."a*"]\nredirect = "{target}"\n',
        f'[server]\ndefault_model = "{target}"\n',
        f'[models.b]\ntargets = [{{ model = "{target}" }}]\n',
    ):
        found = [mistake.suggestion for mistake in examined(tmp_path, providers + text).mistakes]
        assert found == ([suggestion] if suggestion else [])


def test_the_wildcard_of_a_mistyped_target_is_kept(tmp_path: Path) -> None:
    (mistake,) = examined(tmp_path, '[models."gpt-*"]\nredirect = "opnai/gpt-*"\n').mistakes
    assert mistake.suggestion == 'Did you mean "openai/gpt-*"?'
