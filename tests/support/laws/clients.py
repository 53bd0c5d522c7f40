"""Laws of the bytes themselves: the vendors' own clients read the same answer out of them.

A codec that is only tested against itself may agree with itself and nobody else.
"""

from tests.support.laws.language import ClientLanguage, Language, a_scene
from tests.support.laws.law import Law
from tests.support.laws.spoken import spoken
from tests.support.laws.streams import Answer, Stream, answers, streams
from tests.support.strategies.cuts import chunked

SEPARATORS = ("\u2028".encode(), "\u2029".encode(), "\x85".encode())


def _client_reads_stream(language: ClientLanguage, answer: Answer) -> None:
    data = language.written(answer.events, a_scene())
    expected = language.expected(answer.response, a_scene())
    told = spoken(language.dialect.name)
    assert told.read_stream(data) == told.should_read(expected)


def _client_reads_whole(language: ClientLanguage, answer: Answer) -> None:
    data = language.dialect.encode_response(answer.response, a_scene())
    expected = language.expected(answer.response, a_scene())
    told = spoken(language.dialect.name)
    assert told.read_whole(data) == told.should_read(expected)


def _client_reads_tap(language: Language, answer: Answer) -> None:
    """A provider of the same dialect, passed through."""
    data = language.written(answer.events, a_scene(model="served-by"))
    expected = language.expected(answer.response, a_scene())
    _, raw = language.tapped(chunked(data, answer.lengths), a_scene())
    told = spoken(language.dialect.name)
    assert told.read_stream(raw) == told.should_read(expected)


def _separators_escaped(language: Language, stream: Stream) -> None:
    _, raw = language.tapped([stream.data], a_scene())
    assert not any(separator in raw for separator in SEPARATORS)


def _nothing_splits(language: ClientLanguage, answer: Answer) -> None:
    written = language.written(answer.events, a_scene())
    whole = language.dialect.encode_response(answer.response, a_scene())
    assert not any(separator in data for data in (written, whole) for separator in SEPARATORS)


CLIENT_STREAM = Law("the vendor's client reads the stream", answers, _client_reads_stream)
CLIENT_WHOLE = Law("the vendor's client reads the whole answer", answers, _client_reads_whole)
CLIENT_TAP = Law("the vendor's client reads what a tap passed on", answers, _client_reads_tap)
SEPARATORS_TAP = Law("a tap passes on no line separator", streams, _separators_escaped)
SEPARATORS_WRITTEN = Law("no line separator is written", answers, _nothing_splits)

WRITTEN_LAWS = (CLIENT_STREAM, CLIENT_WHOLE, SEPARATORS_WRITTEN)
CLIENT_LAWS = (*WRITTEN_LAWS, CLIENT_TAP, SEPARATORS_TAP)
