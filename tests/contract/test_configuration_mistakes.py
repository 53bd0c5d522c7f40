"""Every single mistake in a configuration is answered with file, line, column, key, reason and what to do.

The folder beside this file holds one mistake a file; `expected.toml` there holds what is said of each.
"""

import json
import re
import tomllib
from pathlib import Path

import pytest

from relay.adapters.inbound.cli.main import run
from relay.programs import CommandPrograms
from tests.support.configuration_mistakes import EXPECTED, FOLDER, MISTAKES

PLACE = re.compile(r"(?:(\d+):(\d+): )?")
ANSWER = re.compile(r"(?:\[[^\]]+\](?: [\w.\[\]]+)?: )?\w.*?[^.][.] [A-Z].*[.?]")
"""Table and key, the reason, and the suggestion."""


def checked(*arguments: str) -> int:
    return run(lambda: CommandPrograms({}), ["config", "check", *arguments])


def test_there_are_thirty_files_at_least_and_each_has_its_answer() -> None:
    assert len(MISTAKES) >= 30
    assert {file.stem for file in MISTAKES} == set(EXPECTED)


@pytest.mark.parametrize("file", MISTAKES, ids=lambda file: file.stem)
def test_a_mistake_is_answered_with_place_key_reason_and_suggestion(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = EXPECTED[file.stem]
    place = PLACE.match(said)
    assert place
    assert ANSWER.fullmatch(said, place.end())
    assert checked(str(file)) == 4
    out, err = capsys.readouterr()
    first, *excerpt, last = err.splitlines()
    assert out == ""
    assert first == f"{file}:{'' if place[0] else ' '}{said}"
    assert last == "Error: 1 mistake: relay serve would not start with it"
    assert "canary" not in err
    if excerpt:
        shown, mark = excerpt
        number = f"  {place[1]} | "
        assert shown.startswith(number)
        column = mark.index("^") - len(number) + 1
        assert column <= int(place[2]) if "not valid TOML" in said else column == int(place[2])


@pytest.mark.parametrize("file", MISTAKES, ids=lambda file: file.stem)
def test_a_server_does_not_start_with_a_mistake_and_says_the_same(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(lambda: CommandPrograms({}), ["--config", str(file), "serve"]) == 4
    served = capsys.readouterr().err.removeprefix("Error: ")
    checked(str(file))
    assert served.splitlines() == capsys.readouterr().err.splitlines()[:-1]


@pytest.mark.parametrize("name", ["a_directory", "a_loop_of_links", "behind_a_file", "not_there"])
def test_a_file_that_cannot_be_read_is_answered_with_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "a_directory").mkdir()
    (tmp_path / "a_loop_of_links").symlink_to(tmp_path / "a_loop_of_links")
    (tmp_path / "file").touch()
    path = tmp_path / ("file/relay.toml" if name == "behind_a_file" else name)
    assert checked(str(path)) == 4
    how = "Check its permissions and where it leads."
    why = {
        "a_directory": "is a directory. Name the file in it.",
        "a_loop_of_links": f"cannot be read: Too many levels of symbolic links. {how}",
        "behind_a_file": f"cannot be read: Not a directory. {how}",
        "not_there": "cannot be read: no such file. Check --config and RELAY_CONFIG.",
    }
    assert capsys.readouterr().err.splitlines()[0] == f"{path}: {why[name]}"


def test_all_mistakes_of_a_file_are_told_in_one_run_also_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All files that are TOML and have their mistake in a table of its own, as one file."""
    file = tmp_path / "relay.toml"
    parts = [
        "kind_is_unknown",
        "base_url_has_no_scheme",
        "port_is_out_of_range",
        "pool_with_weights",
        "budgets",
    ]
    file.write_text("\n".join((FOLDER / f"{part}.toml").read_text("utf-8") for part in parts))
    assert checked(str(file), "--json") == 4
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert [(mistake["line"], mistake["table"], mistake["key"]) for mistake in document["mistakes"]] == [
        (2, "providers.home", "kind"),
        (7, "providers.lab", "base_url"),
        (10, "server", "port"),
        (13, "models.fast", "targets[0].weight"),
        (15, "budgets", ""),
    ]
    assert all(mistake["reason"] and mistake["suggestion"] for mistake in document["mistakes"])


def test_a_file_without_mistakes_is_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "relay.toml"
    file.write_text('[providers.home]\nkind = "ollama"\nbase_url = "http://10.0.0.7:11434"\n')
    assert checked(str(file)) == 0
    assert capsys.readouterr() == ("ok\n", f"{file}: providers: 1, virtual models: 0\n")
    assert checked(str(file), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {"ok": True, "file": str(file), "providers": 1, "models": 0, "mistakes": []}


def test_the_files_are_as_toml_as_their_answers_say() -> None:
    for file in MISTAKES:
        is_toml = True
        try:
            tomllib.loads(file.read_text("utf-8"))
        except ValueError:
            is_toml = False
        broken = ("not valid TOML", "is there twice", "is not UTF-8")
        assert is_toml is not any(words in EXPECTED[file.stem] for words in broken), file.stem
