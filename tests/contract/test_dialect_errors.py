"""Every failure in every dialect, before and after the first byte: its status, its shape, its words."""

from collections.abc import Iterator

import pytest
from hypothesis import given

from relay.domain import errors
from relay.domain.errors import (
    LacksCapability,
    NoCandidate,
    RelayError,
    TimedOut,
    UnknownModel,
    WrongMethod,
)
from relay.domain.events import Failed, Finished, PartDelta, PartEnded, PartStarted, StreamEvent
from tests.support.laws.language import Language, a_scene, failure_of
from tests.support.laws.languages import LANGUAGES
from tests.support.laws.spoken import spoken
from tests.support.strategies.texts import texts


def leaves(root: type[RelayError] = RelayError) -> Iterator[type[RelayError]]:
    children = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    if not children:
        yield root
    for child in children:
        yield from leaves(child)


def made(error: type[RelayError], words: str = "words") -> RelayError:
    if error is TimedOut:
        return TimedOut(words, phase="idle")
    if error is LacksCapability:
        return LacksCapability(words, "tools")
    if error is UnknownModel:
        return UnknownModel(words)
    if error is NoCandidate:
        return NoCandidate("m", (words,))
    if error is WrongMethod:
        return WrongMethod(words, allowed=("GET",))
    return error(words)


LEAVES = sorted(leaves(), key=lambda error: error.__name__)
BEGUN: tuple[StreamEvent, ...] = (
    PartStarted(index=0, kind="text"),
    PartDelta(index=0, text="half an ans"),
    PartEnded(index=0),
    Finished(reason="stop"),
)


@pytest.mark.parametrize("error", LEAVES, ids=lambda error: error.__name__)
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_a_failure_before_the_first_byte_is_a_reply_in_the_dialects_shape(
    language: Language, error: type[RelayError]
) -> None:
    failure = made(error)
    wire = language.dialect.encode_error(failure)
    assert wire.status == failure.status
    assert wire.content_type.startswith("application/json")
    spoken(language.dialect.name).check_error(wire.body, failure)
    assert "words" in language.dialect.decode_error(wire.body).message


@pytest.mark.parametrize("error", LEAVES, ids=lambda error: error.__name__)
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_a_failure_after_the_first_byte_ends_the_stream_and_is_read_as_one(
    language: Language, error: type[RelayError]
) -> None:
    encoder = language.dialect.encoder(a_scene())
    begun = b"".join(encoder.send(event) for event in BEGUN)
    failing = encoder.send(Failed(error=made(error)))
    assert encoder.close() == b"", "nothing that ends a complete answer follows"
    payload = failing.partition(b"data: ")[2].strip() or failing
    spoken(language.dialect.name).check_error(payload, made(error))
    read = failure_of(language.read([begun + failing]))
    assert read is not None
    assert "words" in read.message or read.status == 502, "only a credential's words are kept back"


@pytest.mark.law
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_any_words_make_a_body_that_reads_back_on_one_line(language: Language) -> None:
    @given(texts())
    def check(words: str) -> None:
        wire = language.dialect.encode_error(made(errors.InvalidRequest, words + "\ud83d"))
        assert len(wire.body.decode().splitlines()) <= 1
        assert language.dialect.decode_error(wire.body).message == words + "\ufffd"

    check()


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad Gateway</html>", b"\xff", b"{}", b"[]", b"null", b'{"error":null}']
)
def test_a_body_that_says_nothing_readable_says_nothing(language: Language, body: bytes) -> None:
    fault = language.dialect.decode_error(body)
    assert (fault.message, fault.code) == ("", "")
