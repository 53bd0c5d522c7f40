"""The line with a mistake is shown without what may be secret in it."""

import pytest

from relay.settings import Document, Finding

SECRET = "s3cret-canary"


def excerpt(text: str, *path: str | int, at_key: bool = False) -> list[str]:
    return list(Document("relay.toml", text).mistake(Finding(path, "is wrong", "Right it.", at_key)).excerpt)


def test_the_mark_is_below_the_value_and_a_comment_is_left_out() -> None:
    assert excerpt("\n\n[server]\nport = 99999 # really\n", "server", "port") == [
        "  4 | port = 99999",
        "    |        ^^^^^",
    ]


def test_the_mark_is_below_the_name_of_a_table() -> None:
    assert excerpt('[models."a@b"] # c\n', "models", "a@b") == ['  1 | [models."a@b"]', "    |         ^^^^^"]


def test_what_does_not_name_its_place_has_no_excerpt() -> None:
    assert excerpt("[server]\n", "auth", "mode") == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f'[providers.a]\napi_key = "{SECRET}"\n', ("providers", "a", "api_key")),
        (f'[providers.a]\napi_kye = "{SECRET}"\n', ("providers", "a", "api_kye")),
        (f'providers.a = {{ kind = "x", api_key = "{SECRET}" }}\n', ("providers", "a", "kind")),
        (f'providers.a = {{ api_key = "{SECRET}", kind = "x" }}\n', ("providers", "a", "kind")),
        (f'[providers]\na = "{SECRET}"\n', ("providers", "a")),
        (f'[providers.a]\nauth = {{ scheme = "x", header = "{SECRET}" }}\n', ("providers", "a", "auth")),
        (f'[providers.a]\nbase_url = "https://me:{SECRET}@host/v1"\n', ("providers", "a", "base_url")),
        (f'[providers.a]\nbase_url = "https://host/v1?key={SECRET}"\n', ("providers", "a", "base_url")),
        (f'[database]\nurl = "postgresql://me:{SECRET}@host/db"\n', ("database", "url")),
        (f'[server]\npasword = "{SECRET}"\n', ("server", "pasword")),
        (f'[models.a]\npasword = "{SECRET}"\n', ("models", "a", "pasword")),
        (f'[x]\na = "{SECRET}"\n', ("x", "a")),
        (f'x = "{SECRET}"\n', ("x",)),
        (f"[server]\nport = 99999 # {SECRET}\n", ("server", "port")),
        ('[models.a]\ntags = ["sk-proj-canary0123456789"]\n', ("models", "a", "tags", 0)),
        (f'[providers.a]\napi_key = """\n{SECRET}\n"""\n', ("providers", "a", "api_key")),
        (f'[providers.a]\nx = ["""\n{SECRET}""", {{ y = 1 }}]\n', ("providers", "a", "x", 1, "y")),
    ],
)
@pytest.mark.parametrize("at_key", [True, False])
def test_what_may_be_secret_is_not_shown(text: str, path: tuple[str | int, ...], at_key: bool) -> None:
    assert "canary" not in " ".join(excerpt(text, *path, at_key=at_key))


@pytest.mark.parametrize(
    "text",
    [
        f"[providers.a]\napi_key = {SECRET}\n",
        f'[providers.a]\napi_key = "{SECRET}\n',
        f"[providers.a]\n{SECRET}\n",
        f'[providers.a]\n"{SECRET}"\n',
        f'[providers.a]\napi_key = "{SECRET}" "{SECRET}"\n',
        f'[providers.a]\nmodels = [\n  "{SECRET}\n]\n',
        f"[providers.a] {SECRET}\n",
        f'[providers.a]\napi_key = """\n{SECRET}\n',
        f'[providers.a]\nb = {{ api_key = "{SECRET}"\n}}\n',
    ],
)
def test_of_a_line_that_is_no_toml_nothing_behind_the_key_is_shown(text: str) -> None:
    _, mistake = Document("relay.toml", text).parsed()
    assert mistake
    assert mistake.line
    assert "canary" not in str(mistake) + " ".join(mistake.excerpt)


def test_the_mark_moves_with_what_is_hidden_before_it() -> None:
    text = 'providers.a = { api_key = "long-canary", kind = "x" }\n'
    assert excerpt(text, "providers", "a", "kind") == [
        '  1 | providers.a = { api_key = …, kind = "x" }',
        "    |                                     ^^^",
    ]


def test_of_a_long_line_the_part_around_the_mistake_is_shown() -> None:
    pool = ", ".join(f'{{ model = "a/{number}" }}' for number in range(100))
    line, mark = excerpt(f"[models.p]\ntargets = [{pool}]\n", "models", "p", "targets", 90, "model")
    assert len(line) <= 110
    assert line[mark.index("^") : mark.rindex("^") + 1] == '"a/90"'


def test_a_tab_and_a_control_character_take_one_column() -> None:
    assert excerpt("[server]\n\tport\t=\t-1\n", "server", "port") == ["  2 |  port = -1", "    |         ^^"]


def test_a_number_without_end_and_a_nesting_without_end_are_no_crash() -> None:
    for text in ("a = " + "1" * 5000, "a = " + "[" * 100_000):
        tree, mistake = Document("relay.toml", text).parsed()
        assert tree == {}
        assert mistake
        assert mistake.suggestion
