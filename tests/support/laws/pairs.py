"""The laws of pairs: a provider speaks one dialect, a client another, and only what either cannot say is lost."""

from dataclasses import dataclass

from relay.adapters.dialects.sequential import in_a_row
from relay.domain.chat import DialectName, Opaque, ToolCall
from relay.domain.events import AnswerPart, ChatResponse
from relay.domain.folding import fold
from tests.support.laws.language import Language, a_scene
from tests.support.laws.law import Law
from tests.support.laws.streams import Answer, answers
from tests.support.strategies.cuts import chunked

ONE_AFTER_THE_OTHER: frozenset[DialectName] = frozenset({"openai.responses", "anthropic.messages"})
"""Dialects whose streams have one part after the other, so that one that comes late stays behind others."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Who serves and who asks."""

    provider: Language
    client: Language

    def __str__(self) -> str:
        return f"{self.provider}->{self.client}"


def _expected(pair: Pair, answer: Answer) -> ChatResponse:
    middle = pair.provider.expected(answer.response, a_scene(model="served-by"))
    return pair.client.expected(middle, a_scene())


def _streamed(pair: Pair, answer: Answer) -> None:
    sent = pair.provider.written(answer.events, a_scene(model="served-by"))
    read = pair.provider.read(chunked(sent, answer.lengths))
    received = fold(pair.client.read([pair.client.written(read, a_scene())]))
    expected = _expected(pair, answer)
    if pair.client.dialect.name in ONE_AFTER_THE_OTHER:
        first = [event for event in read if getattr(event, "choice", 0) == 0]
        in_a_row_too = pair.client.expected(fold(in_a_row(first)), a_scene())
        assert _said(in_a_row_too) == _said(expected), "only the order may be another"
        expected = in_a_row_too
    assert received == expected


def _said(response: ChatResponse) -> dict[str, str]:
    """All that is said in an answer, by its kind."""
    said: dict[str, str] = {}
    for part in response.choices[0].parts:
        kind = type(part).__name__
        said[kind] = said.get(kind, "") + _words_of(part)
    return said


def _words_of(part: AnswerPart) -> str:
    match part:
        case ToolCall():
            return f"{part.name}({part.arguments})"
        case Opaque():
            return part.json
        case _:
            return part.text


def _whole(pair: Pair, answer: Answer) -> None:
    sent = pair.provider.dialect.encode_response(answer.response, a_scene(model="served-by"))
    read = pair.provider.dialect.decode_response(sent)
    received = pair.client.dialect.encode_response(read, a_scene())
    assert pair.client.dialect.decode_response(received) == _expected(pair, answer)


STREAMED = Law("a stream crosses with only the losses of its dialects", answers, _streamed)
WHOLE = Law("a whole answer crosses with only the losses of its dialects", answers, _whole)

PAIR_LAWS = (STREAMED, WHOLE)
