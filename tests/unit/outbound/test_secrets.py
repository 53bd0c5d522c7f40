"""Providers' keys: found wherever they are said to be, and never shown."""

import copy
import dataclasses
import json
import pickle
import traceback
from pathlib import Path

import msgspec
import pytest

from relay.adapters.outbound.secrets import Key, Secret, find_key

KEY = "sk-live-0123456789"


def forms_of(secret: Secret) -> list[str]:
    return [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>40}",
        "%s %r" % (secret, secret),  # noqa: UP031
        json.dumps({"key": secret}, default=str),
        msgspec.json.encode({"key": secret}, enc_hook=str).decode(),
        repr([Key(secret=secret)]),
        repr({secret: secret}),
    ]


def test_a_secret_shows_in_no_form_but_reveal() -> None:
    secret = Secret(KEY)
    assert secret.reveal() == KEY
    for form in forms_of(secret):
        assert KEY not in form
        assert "***" in form


@pytest.mark.parametrize("serialise", [pickle.dumps, copy.deepcopy, msgspec.json.encode])
def test_a_secret_is_not_serialised(serialise: object) -> None:
    assert callable(serialise)
    with pytest.raises(TypeError) as raised:
        serialise(Secret(KEY))
    assert KEY not in str(raised.value)


def test_a_secret_does_not_leave_with_a_dataclass() -> None:
    with pytest.raises(TypeError):
        dataclasses.asdict(Key(secret=Secret(KEY)))


def test_a_secret_does_not_show_in_a_traceback_with_locals() -> None:
    secret = Secret(KEY)
    try:
        raise ValueError(secret)
    except ValueError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "secret = ***" in shown
    assert KEY not in shown


def test_equal_secrets_are_equal_and_others_are_not() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY


def test_a_literal_is_the_key() -> None:
    assert find_key(Secret(KEY), (), {}).secret == Secret(KEY)


def test_a_reference_to_a_variable_is_looked_up() -> None:
    assert find_key(Secret("env:MY_KEY"), (), {"MY_KEY": f" {KEY}\n"}).secret == Secret(KEY)


def test_a_missing_variable_is_a_problem_that_names_it() -> None:
    for environ in ({}, {"MY_KEY": "  "}):
        assert find_key(Secret("env:MY_KEY"), (), environ) == Key(problem="no key: MY_KEY is not set")


def test_a_reference_to_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    assert find_key(Secret(f"file:{file}"), (), {}) == Key(secret=Secret(KEY))


def test_a_file_others_can_read_is_used_with_advice(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o644)
    found = find_key(Secret(f"file:{file}"), (), {})
    assert found.secret == Secret(KEY)
    assert "chmod 600" in found.advice


def test_a_file_that_is_not_there_empty_or_a_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    for name in ("missing", "empty", "."):
        found = find_key(Secret(f"file:{tmp_path / name}"), (), {})
        assert found.secret is None
        assert found.problem.startswith("no key")


@pytest.mark.parametrize("text", ["two words", "line\nbreak", "nül", "tab\there", "\x00"])
def test_what_cannot_stand_in_a_header_is_no_key_and_is_not_shown(text: str) -> None:
    found = find_key(Secret("env:K"), (), {"K": text})
    assert found.secret is None
    assert "characters" in found.problem
    assert text not in found.problem


def test_without_a_reference_the_conventional_variable_counts(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-file")
    names = ("GROQ_API_KEY",)
    assert find_key(None, names, {"GROQ_API_KEY": KEY}).secret == Secret(KEY)
    assert find_key(None, names, {"GROQ_API_KEY_FILE": str(file)}).secret == Secret("from-file")
    both = {"GROQ_API_KEY": KEY, "GROQ_API_KEY_FILE": str(file)}
    assert find_key(None, names, both).secret == Secret(KEY)


def test_without_any_key_the_problem_says_what_to_set() -> None:
    assert find_key(None, ("GROQ_API_KEY",), {}) == Key(problem="no key: set GROQ_API_KEY")
    assert find_key(None, (), {}) == Key(problem="no key")
