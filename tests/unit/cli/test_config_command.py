"""`relay config`: what it prints where, and how it ends."""

import json
from pathlib import Path

import pytest

from relay.adapters.inbound.cli.programs import Checked, Reloaded
from relay.adapters.inbound.cli.refusal import NOT_REACHED, Refused
from relay.settings import Mistake
from tests.unit.cli.fake_programs import FakePrograms, call

MISTAKES = (
    Mistake(source="flags", key="--port", reason="is out of range", suggestion="It is at most 65535."),
    Mistake(
        source="relay.toml",
        line=2,
        column=1,
        table="server",
        key="prot",
        reason="unknown key",
        suggestion='Did you mean "port"?',
        excerpt=("  2 | prot = …", "    | ^^^^"),
    ),
)


def test_a_right_file_is_ok_on_standard_output_and_told_of_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    programs = FakePrograms(checked=Checked(file="relay.toml", providers=2, models=3))
    assert call(programs, "config", "check") == 0
    assert capsys.readouterr() == ("ok\n", "relay.toml: providers: 2, virtual models: 3\n")
    programs.checked = Checked(file="")
    assert call(programs, "config", "check") == 0
    assert capsys.readouterr().err.startswith("no relay.toml found, the defaults hold: ")


def test_the_file_is_the_one_named_last_or_the_one_of_every_command() -> None:
    programs = FakePrograms()
    call(programs, "config", "check")
    call(programs, "--config", "a.toml", "config", "check")
    call(programs, "--config", "a.toml", "config", "check", "b.toml")
    call(programs, "--config", "a.toml", "config", "reload")
    assert programs.asked == [None, Path("a.toml"), Path("b.toml"), Path("a.toml")]


def test_every_mistake_is_on_standard_error_with_its_excerpt(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(FakePrograms(checked=Checked(file="relay.toml", mistakes=MISTAKES)), "config", "check") == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "flags: --port: is out of range. It is at most 65535.",
        'relay.toml:2:1: [server] prot: unknown key. Did you mean "port"?',
        "  2 | prot = …",
        "    | ^^^^",
        "Error: 2 mistakes: relay serve would not start with it",
    ]


def test_as_json_the_mistakes_are_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    programs = FakePrograms(checked=Checked(file="", mistakes=MISTAKES))
    assert call(programs, "config", "check", "--json") == 4
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["ok"], document["file"]) == (False, None)
    assert document["mistakes"][1] == {
        "source": "relay.toml",
        "line": 2,
        "column": 1,
        "table": "server",
        "key": "prot",
        "reason": "unknown key",
        "suggestion": 'Did you mean "port"?',
        "excerpt": ["  2 | prot = …", "    | ^^^^"],
    }
    assert err.count("\n") == 1


def test_a_reload_tells_whether_anything_changed_and_what_waits(capsys: pytest.CaptureFixture[str]) -> None:
    programs = FakePrograms(
        reloaded=Reloaded(file="relay.toml", is_changed=True, needs_restart=("server.port",))
    )
    assert call(programs, "config", "reload") == 0
    out, err = capsys.readouterr()
    assert out == "reloaded\n"
    assert err.splitlines()[1:] == ["server.port changes when the relay is started again"]
    assert call(programs, "config", "reload", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["changed"], document["needs_restart"]) == (True, ["server.port"])
    programs.reloaded = Reloaded(file="relay.toml")
    assert call(programs, "config", "reload") == 0
    assert capsys.readouterr().out == "unchanged\n"


def test_a_refused_reload_ends_with_four_and_says_that_the_old_stays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    programs = FakePrograms(reloaded=Reloaded(file="relay.toml", mistakes=MISTAKES[1:]))
    assert call(programs, "config", "reload") == 4
    assert (
        capsys.readouterr().err.splitlines()[-1] == "Error: 1 mistake: the old configuration stays in force"
    )


def test_without_a_server_there_is_nothing_to_reload(capsys: pytest.CaptureFixture[str]) -> None:
    class NoServer(FakePrograms):
        def reload_configuration(self, file: Path | None) -> Reloaded:
            raise Refused("no relay serves relay.db now", NOT_REACHED)

    assert call(NoServer(), "config", "reload") == 5
    assert capsys.readouterr().err == "Error: no relay serves relay.db now\n"


def test_watching_is_asked_for_by_a_flag() -> None:
    programs = FakePrograms()
    assert call(programs, "serve", "--watch") == 0
    assert programs.asked[-1] == (False, True)


def test_imported_rules_are_printed_and_remarks_go_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    programs = FakePrograms()
    assert call(programs, "config", "import-overrides", "rules.yaml") == 0
    assert capsys.readouterr() == ('[overrides."openai/a"]\ndisabled = true\n', "no price\n")
    assert programs.asked == [Path("rules.yaml")]
