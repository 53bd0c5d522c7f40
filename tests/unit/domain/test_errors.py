"""The error tree is the one that is drawn, and every class says what a caller needs to know."""

import re
from collections.abc import Iterator

import pytest

from relay.domain import errors
from relay.domain.errors import (
    LacksCapability,
    NoCandidate,
    RelayError,
    TimedOut,
    UnknownModel,
    UpstreamError,
    WrongMethod,
)

_LINE = re.compile(r"^\s{4}(?P<indent>[│ ]*)[├└]── (?P<name>\w+) +(?P<status>\d{3})?")


def drawn() -> Iterator[tuple[str, str, int | None]]:
    """Name, parent and status of each class in the module's drawing."""
    parents = ["RelayError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := _LINE.match(line):
            depth = len(match["indent"]) // 4 + 1
            status = match["status"]
            yield match["name"], parents[depth - 1], int(status) if status else None
            parents[depth:] = [match["name"]]


def descendants(root: type[RelayError]) -> Iterator[type[RelayError]]:
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from descendants(child)


ALL: list[type[RelayError]] = [RelayError, *descendants(RelayError)]
LEAVES = [error for error in ALL if not error.__subclasses__()]


def made(error: type[RelayError]) -> RelayError:
    if error is TimedOut:
        return TimedOut("words", phase="idle")
    if error is LacksCapability:
        return LacksCapability("words", "tools")
    if error is UnknownModel:
        return UnknownModel("words")
    if error is NoCandidate:
        return NoCandidate("words", ("because",))
    if error is WrongMethod:
        return WrongMethod("words", allowed=("GET",))
    return error("words")


def test_the_drawn_tree_is_the_real_one() -> None:
    assert {name: parent for name, parent, _ in drawn()} == {
        error.__name__: error.__bases__[0].__name__ for error in descendants(RelayError)
    }


def test_the_drawn_status_is_the_real_one() -> None:
    real = {error.__name__: error.status for error in ALL}
    said = {name: status for name, _, status in drawn() if status is not None}
    assert len(said) >= len(LEAVES) - 1, "only Rejected's status is the provider's own"
    assert said == {name: real[name] for name in said}


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_failure_has_a_status_a_kind_and_a_machine_readable_code_or_none(
    error: type[RelayError],
) -> None:
    failure = made(error)
    assert 400 <= failure.status <= 599
    assert re.fullmatch(r"[a-z_]+_error", failure.kind)
    assert failure.code is None or re.fullmatch(r"[a-z]+(_[a-z]+)*", failure.code)
    assert failure.retry in ("never", "same", "other")
    assert "words" in failure.message
    assert str(failure) == failure.message


@pytest.mark.parametrize(
    "error", [error for error in ALL if error.status >= 500 and error.__subclasses__() == []]
)
def test_every_failure_that_is_not_the_callers_has_a_code(error: type[RelayError]) -> None:
    assert made(error).code is not None


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_only_a_provider_is_tried_again(error: type[RelayError]) -> None:
    assert error.retry == "never" or issubclass(error, UpstreamError)


def test_words_given_at_the_raise_win_over_the_class() -> None:
    failure = RelayError("m", code="c", param="p", status=418, retry_after_s=2.5)
    assert (failure.code, failure.param, failure.status, failure.retry_after_s) == ("c", "p", 418, 2.5)
    assert (RelayError.code, RelayError.status) == (None, 500)


def test_an_unknown_model_is_named_with_its_nearest_names() -> None:
    failure = UnknownModel("gpt-6", ("openai/gpt-5", "gpt-5-mini"))
    assert failure.message == "model 'gpt-6' not found. Did you mean 'openai/gpt-5', 'gpt-5-mini'?"
    assert (failure.name, failure.closest, failure.param) == (
        "gpt-6",
        ("openai/gpt-5", "gpt-5-mini"),
        "model",
    )
    assert UnknownModel("x").message == "model 'x' not found."


def test_no_candidate_gives_every_reason() -> None:
    assert NoCandidate("fast", ("a is down", "b lacks tools")).message.endswith(": a is down; b lacks tools")
    assert NoCandidate("fast", ()).message.endswith(": none configured")


def test_a_name_that_is_not_found_is_not_told_at_any_length() -> None:
    error = UnknownModel("m" * 1_000_000)
    assert len(error.message) < 1000
    assert error.name.startswith("mmm")
    assert len(error.name) < 1000
    assert UnknownModel("m" * 512).name == "m" * 512


def test_a_message_is_not_as_long_as_a_caller_likes() -> None:
    assert len(RelayError("x" * 1_000_000).message) < 2000
    assert len(str(RelayError("x" * 1_000_000))) < 2000
    assert RelayError("x" * 1500).message == "x" * 1500
