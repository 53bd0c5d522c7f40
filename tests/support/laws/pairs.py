"""The laws of pairs: a provider speaks one dialect, a client another, and only what either cannot say is lost."""

from dataclasses import dataclass, replace

from relay.domain.folding import fold
from tests.support.laws.language import Language, scene_of
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


def _streamed(pair: Pair, answer: Answer) -> None:
    sent = pair.provider.written(answer.events, scene_of(answer.response))
    read = pair.provider.read(chunked(sent, answer.lengths))
    middle = pair.provider.norm(answer.response)
    received = pair.client.written(read, scene_of(middle))
    assert fold(pair.client.read([received])) == pair.client.norm(middle)


def _whole(pair: Pair, answer: Answer) -> None:
    sent = pair.provider.dialect.encode_response(answer.response, scene_of(answer.response))
    read = pair.provider.dialect.decode_response(sent)
    received = pair.client.dialect.encode_response(read, scene_of(read))
    expected = pair.client.norm(pair.provider.norm(answer.response))
    assert pair.client.dialect.decode_response(received) == expected


def _named(pair: Pair, answer: Answer) -> None:
    """The client reads the name it asked for, whatever the provider calls its model."""
    read = pair.provider.read([pair.provider.written(answer.events, scene_of(answer.response))])
    scene = scene_of(answer.response, model="asked-for")
    received = fold(pair.client.read([pair.client.written(read, scene)]))
    expected = pair.client.norm(replace(pair.provider.norm(answer.response), model="asked-for"))
    assert received.model == "asked-for"
    assert received.choices == expected.choices


STREAMED = Law("a stream crosses with only the losses of its dialects", lambda _: answers(), _streamed)
WHOLE = Law("a whole answer crosses with only the losses of its dialects", lambda _: answers(), _whole)
NAMED = Law("the client reads the name it asked for", lambda _: answers(), _named)

PAIR_LAWS = (STREAMED, WHOLE, NAMED)
