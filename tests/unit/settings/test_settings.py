"""The configuration: where values come from, and how a mistake is answered."""

from pathlib import Path

import pytest

from relay.domain.catalog import Alias, Pool, Redirect
from relay.settings import ConfigurationError, load, search_path
from relay.toml_position import line_of


def written(folder: Path, text: str) -> Path:
    path = folder / "relay.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load(file=None, environment={"RELAY_CONFIG": ""}, home=tmp_path)
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 11434)
    assert settings.server.default_model is None
    assert settings.database.path == Path("relay.db")


def test_a_flag_outranks_the_environment_and_that_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[server]\nport = 1\nhost = "127.0.0.2"\n[auth]\nmode = "keys"\n')
    environment = {"RELAY_SERVER_PORT": "2", "RELAY_AUTH_MODE": "open"}
    settings = load(file=file, environment=environment, flags={"server": {"port": 3}})
    assert (settings.server.port, settings.server.host, settings.auth.mode) == (3, "127.0.0.2", "open")
    assert load(file=file, environment=environment).server.port == 2


def test_virtual_models_take_their_kind_from_the_key_they_use(tmp_path: Path) -> None:
    text = (
        '[models.sonnet]\ntarget = "a/b"\ntags = ["team:web"]\n'
        '[models."gpt-4*"]\nredirect = "gpt-5*"\n'
        '[models.fast]\ntargets = [{ model = "a/b" }, { model = "c/d" }]\n'
    )
    virtuals = load(file=written(tmp_path, text), environment={}).virtual_models()
    assert virtuals == (
        Alias(name="sonnet", target="a/b", tags=("team:web",)),
        Redirect(name="gpt-4*", target="gpt-5*"),
        Pool(name="fast", targets=("a/b", "c/d")),
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[server]\nprot = 1", 2, ["[server] prot", 'Did you mean "port"?']),
        ('[server]\nport = "x"', 2, ["[server] port", "expected `int`"]),
        ("[server]\n\nport = 99999", 3, ["<= 65535"]),
        ("[sever]\nport = 1", 1, ["[sever]", 'Did you mean "server"?']),
        ("[admin]\nport = 1", 1, ["not in this version: the admin pages"]),
        ('[models.x]\ndesignator = "a"', 2, ["[models.x] designator", "not in this version: smart routers"]),
        ('[models.x]\nfallbak = "a"', 2, ['Did you mean "fallback"?', "smart routers"]),
        ('[models.x]\ntags = ["a"]', 1, ["exactly one of target, redirect and targets"]),
        ('[models.x]\ntarget = "a"\nredirect = "b"', 1, ["exactly one of"]),
        ('[models.a]\ntarget = "b"\n[models.b]\ntarget = "a"', 1, ["leads back to itself"]),
        ('[models.A]\ntarget = "x"\n[models."a:latest"]\ntarget = "y"', 3, ["is the same name"]),
        ('[models."a*"]\ntarget = "b"', 1, ["only a redirect's name may carry *"]),
        ('[models."a@b"]\ntarget = "b"', 1, ["may not hold"]),
        ('[models.p]\ntargets = [{ model = "a", weight = 3 }]', 2, ["not in this version: weighted pools"]),
        ("[providers]\na = 3", 2, ["[providers] a", "must be a table"]),
        ('[database]\nurl = "postgresql://x"', 2, ["sqlite:///PATH"]),
        ("providers = 3", 1, ["must be a table of tables"]),
    ],
)
def test_a_mistake_is_answered_with_file_line_key_and_what_to_do(
    tmp_path: Path, text: str, line: int, words: list[str]
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load(file=file, environment={})
    message = str(caught.value)
    assert message.startswith(f"{file}:{line}: ")
    for word in words:
        assert word in message


def test_a_value_the_provider_catalog_refuses_is_answered_with_its_line_and_shows_no_secret(
    tmp_path: Path,
) -> None:
    file = written(tmp_path, '[providers.a]\nkind = "x"\napi_key = "sk-canary"\n')
    settings = load(file=file, environment={})
    refusal = settings.refusal(("providers", "a", "kind"), "unknown kind 'x'")
    assert str(refusal) == f"{file}:2: [providers.a] kind: unknown kind 'x'"
    assert "sk-canary" not in repr(settings)


def test_text_that_is_not_toml_is_answered_with_its_line(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nport = = 1\n")
    with pytest.raises(ConfigurationError, match=r"relay\.toml:2: not valid TOML"):
        load(file=file, environment={})


def test_an_unknown_variable_of_a_known_section_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"RELAY_SERVER_PROT.*Did you mean"):
        load(file=None, environment={"RELAY_SERVER_PROT": "1"}, home=Path("nowhere"))


def test_a_named_file_that_is_not_there_is_an_error_and_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(file=None, environment={"RELAY_CONFIG": str(tmp_path / "gone.toml")})


def test_the_file_is_looked_for_here_then_at_home_then_in_etc(tmp_path: Path) -> None:
    found = search_path({}, tmp_path)
    assert found == (
        Path("relay.toml"),
        tmp_path / ".config" / "relay" / "relay.toml",
        Path("/etc/relay/relay.toml"),
    )


def test_a_line_is_found_for_quoted_dotted_and_inline_keys() -> None:
    text = '[models."gpt-4"]\ntarget = "x"\n\n[a]\nb.c = 1 # x\n[[d]]\ne = 1\n'
    assert line_of(text, ("models", "gpt-4", "target")) == 2
    assert line_of(text, ("models", "gpt-4")) == 1
    assert line_of(text, ("a", "b", "c")) == 5
    assert line_of(text, ("models", "gpt-4", "targets", "model")) == 1
    assert line_of(text, ("nothing",)) is None
