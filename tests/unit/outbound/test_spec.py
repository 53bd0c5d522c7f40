"""Providers as data: rows, sections, the environment, and what is refused."""

import pytest

from relay.adapters.outbound.http.interface import Timeouts
from relay.adapters.outbound.providers.quirks import Quirks
from relay.adapters.outbound.providers.spec import (
    SpecError,
    configured,
    found_in_environment,
    kinds,
    ollama_url,
)
from relay.adapters.outbound.secrets import Secret

OWN = (("127.0.0.1", 11434),)


def test_the_built_in_kinds_are_these() -> None:
    assert kinds() == (
        "openai",
        "openai-responses",
        "perplexity",
        "openrouter",
        "groq",
        "deepseek",
        "mistral",
        "xai",
        "together",
        "fireworks",
        "deepinfra",
        "cerebras",
        "sambanova",
        "openai-compatible",
        "ollama",
        "anthropic",
        "gemini",
        "cohere",
    )


@pytest.mark.parametrize("kind", kinds())
def test_every_row_is_a_provider_by_itself_once_it_has_an_address(kind: str) -> None:
    section = {"base_url": "http://localhost:8000/v1"} if kind == "openai-compatible" else {}
    spec = configured(kind, section, {})
    assert (spec.name, spec.kind) == (kind, kind)
    assert spec.base_url.startswith(("https://", "http://localhost", "http://127.0.0.1"))


def test_a_section_overrides_its_row_field_by_field() -> None:
    section = {
        "kind": "groq",
        "base_url": "https://proxy.example/groq/v1/",
        "api_key": "env:TEAM_KEY",
        "models": ["llama-3.3-70b"],
        "on_disconnect": "cancel",
        "timeouts": {"first_byte_s": 30},
        "quirks": {"drop": ["user"]},
        "max_in_flight": 4,
    }
    spec = configured("fast", section, {})
    assert spec.name == "fast"
    assert spec.title == "Groq"
    assert spec.base_url == "https://proxy.example/groq/v1"
    assert spec.api_key == Secret("env:TEAM_KEY")
    assert spec.models == ("llama-3.3-70b",)
    assert spec.on_disconnect == "cancel"
    assert spec.timeouts == Timeouts(first_byte_s=30.0)
    renamed = {"max_tokens": "max_completion_tokens"}
    assert spec.quirks == Quirks(drop=("user",), rename=renamed, past_thinking="dropped", json_word=True)
    assert spec.max_in_flight == 4


def test_the_kind_is_the_name_when_it_is_not_said() -> None:
    assert configured("openai", {}, {}).kind == "openai"


def test_a_literal_key_shows_nowhere_in_the_spec() -> None:
    spec = configured("openai", {"api_key": "sk-live-1234"}, {})
    assert "sk-live" not in repr(spec)
    assert "sk-live" not in str(spec)


REFUSED: list[tuple[str, dict[str, object], str, str]] = [
    ("openai", {"base_ulr": "x"}, "base_ulr", "did you mean 'base_url'"),
    ("openai", {"quirks": {"renam": {}}}, "quirks.renam", "did you mean 'rename'"),
    ("openai", {"timeouts": {"connect": 1}}, "timeouts.connect", "did you mean 'connect_s'"),
    ("openai", {"auth": {"schema": "bearer"}}, "auth.schema", "did you mean 'scheme'"),
    ("openai", {"profiles": {"gpt*": {"dorp": []}}}, "profiles.dorp", "did you mean 'drop'"),
    ("openai", {"zebra": 1}, "zebra", "unknown key"),
    ("openai", {"name": "other"}, "name", "unknown key"),
    ("openai", {"models": "gpt-5"}, "models", "array"),
    ("openai", {"models": ["ok", 3]}, "models", "str"),
    ("openai", {"models": [" "]}, "models", "empty"),
    ("openai", {"api_key": 5}, "api_key", "str"),
    ("openai", {"timeouts": {"idle_s": 0}}, "timeouts.idle_s", "> 0"),
    ("openai", {"manage": True}, "manage", "kind ollama"),
    ("ollama", {"manage": "yes"}, "manage", "bool"),
    ("openai", {"max_in_flight": 0}, "max_in_flight", ">= 1"),
    ("openai", {"on_disconnect": "ignore"}, "on_disconnect", "ignore"),
    ("openai", {"http_client": "curl"}, "http_client", "curl"),
    ("openai", {"auth": {"scheme": "header", "header": "Host"}}, "auth.header", "name of a header"),
    ("openai", {"auth": {"scheme": "header", "header": "api key"}}, "auth.header", "name of a header"),
    ("openai", {"dialect": "esperanto"}, "dialect", "esperanto"),
    ("openai", {"auth": {"scheme": "header"}}, "auth.header", "name is needed"),
    ("mine", {}, "kind", "unknown kind 'mine'; known are openai, "),
    ("mine", {"kind": "bedrock"}, "kind", "bedrock"),
    ("mine", {"kind": 7}, "kind", "7"),
    ("mine", {"kind": "openai-compatible"}, "base_url", "needed"),
    ("openai", {"base_url": "api.openai.com/v1"}, "base_url", "http"),
    ("openai", {"base_url": "ftp://api.openai.com"}, "base_url", "http"),
    ("openai", {"base_url": "https:///v1"}, "base_url", "host"),
    ("openai", {"base_url": "https://host:99999/v1"}, "base_url", "not an address"),
    ("openai", {"base_url": "https://user:pw@host/v1"}, "base_url", "credentials"),
    ("openai", {"base_url": "https://host/v1?key=1"}, "base_url", "query"),
    ("openai", {"base_url": "https://host/v 1"}, "base_url", "blanks"),
    ("two words", {"kind": "openai"}, "", "name"),
    ("a/b", {"kind": "openai"}, "", "name"),
    ("", {"kind": "openai"}, "", "name"),
]


@pytest.mark.parametrize(("name", "section", "key", "words"), REFUSED)
def test_what_cannot_be_used_is_refused_with_its_key(
    name: str, section: dict[str, object], key: str, words: str
) -> None:
    with pytest.raises(SpecError) as raised:
        configured(name, section, {})
    assert raised.value.key == key
    assert words in str(raised.value)


def test_a_refused_key_is_not_quoted() -> None:
    with pytest.raises(SpecError) as raised:
        configured("openai", {"api_key": ["sk-live-1234"]}, {})
    assert "sk-live" not in str(raised.value)


def test_an_address_is_moved_by_its_variable_unless_the_section_says_it() -> None:
    environ = {"OPENAI_BASE_URL": "http://gateway.local/v1/"}
    assert configured("openai", {}, environ).base_url == "http://gateway.local/v1"
    assert configured("openai", {"base_url": "http://own/v1"}, environ).base_url == "http://own/v1"
    assert configured("groq", {}, environ).base_url == "https://api.groq.com/openai/v1"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"])
def test_an_address_that_is_the_relays_own_moves_nothing(host: str) -> None:
    environ = {"OPENAI_BASE_URL": f"http://{host}:11434/v1"}
    assert configured("openai", {}, environ, listening=OWN).base_url == "https://api.openai.com/v1"
    elsewhere = {"OPENAI_BASE_URL": f"http://{host}:11435/v1"}
    assert configured("openai", {}, elsewhere, listening=OWN).base_url == elsewhere["OPENAI_BASE_URL"]


def test_a_provider_appears_when_its_key_is_set() -> None:
    environ = {"GROQ_API_KEY": "k", "XAI_API_KEY_FILE": "/run/secrets/xai", "MISTRAL_API_KEY": " "}
    assert [spec.name for spec in found_in_environment(environ)] == ["groq", "xai"]
    assert found_in_environment({}) == ()


def test_an_ollama_is_found_by_its_variable() -> None:
    [spec] = found_in_environment({"OLLAMA_HOST": "box"})
    assert (spec.name, spec.kind, spec.base_url) == ("ollama", "ollama", "http://box:11434")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:11434", "localhost", "http://localhost:11434/", "0.0.0.0", ":11434"]
)
def test_a_relay_does_not_take_itself_for_an_ollama(host: str) -> None:
    assert found_in_environment({"OLLAMA_HOST": host}, listening=OWN) == ()


def test_an_ollama_beside_the_relay_is_found() -> None:
    [spec] = found_in_environment({"OLLAMA_HOST": "127.0.0.1:11500"}, listening=OWN)
    assert spec.base_url == "http://127.0.0.1:11500"


def test_a_configured_ollama_is_moved_by_its_variable_too() -> None:
    environ = {"OLLAMA_HOST": "box"}
    assert configured("local", {"kind": "ollama"}, environ).base_url == "http://box:11434"
    assert configured("ollama", {"base_url": "http://other:1"}, environ).base_url == "http://other:1"


@pytest.mark.parametrize(
    ("name", "section"),
    [("ollama", {}), ("me", {"kind": "openai-compatible", "base_url": "http://localhost:11434/v1"})],
)
def test_a_provider_at_the_relays_own_address_is_refused(name: str, section: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="own address") as raised:
        configured(name, section, {"OLLAMA_HOST": "127.0.0.1:11434"}, listening=OWN)
    assert raised.value.key == "base_url"


def test_an_unusable_ollama_host_is_refused() -> None:
    with pytest.raises(SpecError):
        found_in_environment({"OLLAMA_HOST": "http://box:port"})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("box", "http://box:11434"),
        ("box:8080", "http://box:8080"),
        ("http://box:11434/", "http://box:11434"),
        ("http://box", "http://box:80"),
        ("https://box", "https://box:443"),
        ("https://ollama.com", "https://ollama.com:443"),
        ("http://box:8080/prefix", "http://box:8080/prefix"),
        ("box/prefix/", "http://box:11434/prefix"),
        ("https://box/prefix", "https://box:443/prefix"),
        ("192.168.1.7", "http://192.168.1.7:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:9999", "http://127.0.0.1:9999"),
        (":9999", "http://127.0.0.1:9999"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:9999", "http://[::1]:9999"),
        ("::1", "http://[::1]:11434"),
        ("[::]:9999", "http://[::1]:9999"),
        (' "box:1" ', "http://box:1"),
    ],
)
def test_an_ollama_host_is_read_in_every_spelling(host: str, url: str) -> None:
    assert ollama_url(host) == url
    assert configured("ollama", {"base_url": ollama_url(host)}, {}).base_url == url


def test_a_sections_headers_lie_over_those_of_its_row() -> None:
    spec = configured(
        "openrouter", {"headers": {"X-Title": "Desk", "HTTP-Referer": "https://desk.example"}}, {}
    )
    assert spec.headers == {"X-Title": "Desk", "HTTP-Referer": "https://desk.example"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("content-length", "1"), ("Host", "x"), ("bad name", "x"), ("x-a", "line\nbreak"), ("x-a", "grün")],
)
def test_a_header_that_cannot_be_sent_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SpecError) as refused:
        configured("openrouter", {"headers": {name: value}}, {})
    assert refused.value.key == f"headers.{name}"
    assert value not in str(refused.value)
