"""The laws of pairs: a provider speaks one dialect, a client another, and only what either cannot say is lost."""

from dataclasses import dataclass

from relay.domain.events import ChatResponse
from relay.domain.folding import fold
from tests.support.laws.language import Language, a_scene
from tests.support.laws.law import Law
from tests.support.laws.streams import Answer, answers
from tests.support.strategies.cuts import chunked


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
    received = pair.client.written(read, a_scene())
    assert fold(pair.client.read([received])) == _expected(pair, answer)


def _whole(pair: Pair, answer: Answer) -> None:
    sent = pair.provider.dialect.encode_response(answer.response, a_scene(model="served-by"))
    read = pair.provider.dialect.decode_response(sent)
    received = pair.client.dialect.encode_response(read, a_scene())
    assert pair.client.dialect.decode_response(received) == _expected(pair, answer)


STREAMED = Law("a stream crosses with only the losses of its dialects", answers, _streamed)
WHOLE = Law("a whole answer crosses with only the losses of its dialects", answers, _whole)

PAIR_LAWS = (STREAMED, WHOLE)
