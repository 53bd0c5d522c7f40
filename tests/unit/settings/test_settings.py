"""The configuration: where values come from, and how a mistake is answered."""

from pathlib import Path

import pytest

from relay.domain.catalog import Alias, Pool, Redirect
from relay.settings import ConfigurationError, Mistake, load, read, search_path


def written(folder: Path, text: str) -> Path:
    path = folder / "relay.toml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes_in(folder: Path, text: str) -> tuple[Mistake, ...]:
    return read(file=written(folder, text), environment={}).mistakes


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
        '[[models.slow.targets]]\nmodel = "e/f"\n'
    )
    virtuals = load(file=written(tmp_path, text), environment={}).virtual_models()
    assert virtuals == (
        Alias(name="sonnet", target="a/b", tags=("team:web",)),
        Redirect(name="gpt-4*", target="gpt-5*"),
        Pool(name="fast", targets=("a/b", "c/d")),
        Pool(name="slow", targets=("e/f",)),
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = '[models.x]\ntargett = "a"\n[server]\nport = "x"\nhost = ""\n[sever]\n'
    file = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        load(file=file, environment={"RELAY_AUTH_MODE": "shut"}, flags={"server": {"port": 99999}})
    assert [(mistake.source, mistake.line, mistake.key) for mistake in caught.value.mistakes] == [
        ("flags", 0, "--port"),
        ("environment", 0, "RELAY_AUTH_MODE"),
        (str(file), 2, "targett"),
        (str(file), 4, "port"),
        (str(file), 5, "host"),
        (str(file), 6, ""),
    ]
    assert f"{file}:4:8: [server] port: must be a whole number, not a text." in str(caught.value)


def test_a_model_with_a_mistake_in_it_gives_no_further_ones(tmp_path: Path) -> None:
    (mistake,) = mistakes_in(tmp_path, '[models.x]\ntargett = "a"\n')
    assert mistake.reason == "unknown key"


def test_a_byte_order_mark_and_windows_line_ends_are_read_over(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_bytes(b'\xef\xbb\xbf[server]\r\nport = 80\r\nhost = "::1"\r\n')
    assert load(file=file, environment={}).server.port == 80
    file.write_bytes(b"[server]\r\n\r\nport = 99999\r\n")
    (mistake,) = read(file=file, environment={}).mistakes
    assert (mistake.line, mistake.column) == (3, 8)


def test_an_unknown_variable_of_a_known_section_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^environment: RELAY_SERVER_PROT: unknown key\. Did you mean"
    ):
        load(file=None, environment={"RELAY_SERVER_PROT": "1"}, home=Path("nowhere"))


def test_a_variable_of_a_section_that_is_not_there_yet_is_refused() -> None:
    (mistake,) = read(file=None, environment={"RELAY_ADMIN_PORT": "1"}, home=Path("nowhere")).mistakes
    assert str(mistake) == "environment: RELAY_ADMIN_PORT: not in this version: the admin pages. Unset it."


def test_an_address_of_a_database_in_the_environment_is_refused_without_its_password() -> None:
    environment = {"DATABASE_URL": "postgres://relay:pw-canary@db/relay"}
    (mistake,) = read(file=None, environment=environment, home=Path("nowhere")).mistakes
    assert str(mistake).startswith("environment: DATABASE_URL: not in this version: PostgreSQL.")
    assert "pw-canary" not in str(mistake)


def test_a_named_file_that_is_not_there_is_an_error_and_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.toml: cannot be read: no such file"):
        load(file=None, environment={"RELAY_CONFIG": str(tmp_path / "gone.toml")})


def test_a_file_found_on_the_way_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "relay"
    (folder / "relay.toml").mkdir(parents=True)
    environment = {"XDG_CONFIG_HOME": str(tmp_path / ".config")}
    (mistake,) = read(file=None, environment=environment).mistakes
    assert mistake.reason == "is a directory"
    (folder / "relay.toml").rmdir()
    (folder / "relay.toml").symlink_to(tmp_path / "gone")
    (mistake,) = read(file=None, environment=environment).mistakes
    assert mistake.reason == "cannot be read: no such file"


def test_the_file_is_looked_for_here_then_at_home_then_in_etc(tmp_path: Path) -> None:
    assert search_path({}, tmp_path) == (
        Path("relay.toml"),
        tmp_path / ".config" / "relay" / "relay.toml",
        Path("/etc/relay/relay.toml"),
    )


def test_settings_do_not_show_what_is_in_them(tmp_path: Path) -> None:
    settings = load(file=written(tmp_path, '[providers.a]\napi_key = "sk-canary"\n'), environment={})
    assert "sk-canary" not in repr(settings)


def test_pages_and_names_are_lists_in_the_file_and_in_a_variable(tmp_path: Path) -> None:
    file = written(tmp_path, '[server]\norigins = ["https://a.example"]\nhosts = ["relay", "*.lan", "::1"]\n')
    server = load(file=file, environment={}).server
    assert (server.origins, server.hosts) == (("https://a.example",), ("relay", "*.lan", "::1"))
    replaced = load(file=file, environment={"RELAY_SERVER_HOSTS": "one, two,"}).server
    assert (replaced.origins, replaced.hosts) == (("https://a.example",), ("one", "two"))


def test_the_room_for_requests_is_a_number_of_one_at_least(tmp_path: Path) -> None:
    assert load(file=written(tmp_path, ""), environment={}).server.max_in_flight == 256
    more = load(file=written(tmp_path, "[server]\nmax_in_flight = 1000\n"), environment={})
    assert more.server.max_in_flight == 1000
    assert len(mistakes_in(tmp_path, "[server]\nmax_in_flight = 0\n")) == 1


def test_the_variables_of_origins_add_to_what_is_written(tmp_path: Path) -> None:
    file = written(tmp_path, '[server]\norigins = ["https://a.example"]\n')
    environment = {"OLLAMA_ORIGINS": "https://*.b.example, *", "RELAY_ORIGINS": "app://x"}
    origins = load(file=file, environment=environment).server.origins
    assert origins == ("https://a.example", "https://*.b.example", "*", "app://x")


@pytest.mark.parametrize(
    "origin", ["a.example", "https://a.example/", "https://*.*.example", "https://a b", "//a"]
)
def test_what_is_no_origin_is_a_mistake_wherever_it_stands(tmp_path: Path, origin: str) -> None:
    (mistake,) = mistakes_in(tmp_path, f'[server]\norigins = ["{origin}"]\n')
    assert mistake.line == 2
    outside = read(file=written(tmp_path, ""), environment={"OLLAMA_ORIGINS": origin}).mistakes
    assert [(wrong.source, wrong.key) for wrong in outside] == [("environment", "OLLAMA_ORIGINS")]


@pytest.mark.parametrize("host", ["http://relay", "relay:80", "re lay", "a.*.example", "*.", "", "relay/x"])
def test_what_is_no_host_name_is_a_mistake(tmp_path: Path, host: str) -> None:
    assert len(mistakes_in(tmp_path, f'[server]\nhosts = ["{host}"]\n')) == 1
