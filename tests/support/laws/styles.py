"""Laws of style: providers of one dialect frame the same answer differently, and no client may notice.

Each style is a habit seen at a provider, done to a stream of ours (see `tests.support.laws.spoken`). What is read,
and what a tap makes of it for the vendor's client, stays the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from relay.domain.events import ChatResponse
from relay.domain.folding import fold
from tests.support.laws.language import Language, a_scene
from tests.support.laws.law import Law
from tests.support.laws.requests import plain_call
from tests.support.laws.spoken import spoken
from tests.support.laws.spoken.particulars import Style
from tests.support.laws.streams import Answer, answers
from tests.support.strategies.cuts import chunked


@dataclass(frozen=True, slots=True)
class Styled:
    """An answer and the habits of the provider that sends it."""

    answer: Answer
    styles: Sequence[Style]


@st.composite
def _styled(draw: st.DrawFn, language: Language) -> Styled:
    habits = spoken(language.dialect.name).styles
    chosen = draw(st.lists(st.integers(0, len(habits) - 1), min_size=1, max_size=3, unique=True))
    return Styled(draw(answers()), [habits[place] for place in sorted(chosen)])


def _plain_and_styled(language: Language, case: Styled) -> tuple[bytes, bytes]:
    plain = language.written(case.answer.events, a_scene(model="served-by"))
    styled = plain
    for style in case.styles:
        styled = style(styled)
    return plain, styled


def _read_the_same(language: Language, case: Styled) -> None:
    plain, styled = _plain_and_styled(language, case)
    read = fold(language.read(chunked(styled, case.answer.lengths)))
    assert _with_plain_arguments(read) == _with_plain_arguments(fold(language.read([plain])))


def _with_plain_arguments(response: ChatResponse) -> ChatResponse:
    """The response with arguments spelled one way: some styles write JSON anew."""
    return replace(
        response,
        choices=tuple(
            replace(choice, parts=tuple(plain_call(part) for part in choice.parts))
            for choice in response.choices
        ),
    )


def _client_unaware(language: Language, case: Styled) -> None:
    plain, styled = _plain_and_styled(language, case)
    _, expected = language.tapped([plain], a_scene())
    _, raw = language.tapped(chunked(styled, case.answer.lengths), a_scene())
    read = spoken(language.dialect.name).read_stream
    assert read(raw) == read(expected)


READ_THE_SAME = Law("a provider's style changes nothing of what is read", _styled, _read_the_same)
CLIENT_UNAWARE = Law(
    "the vendor's client notices no provider's style through a tap", _styled, _client_unaware
)

STYLE_LAWS = (READ_THE_SAME, CLIENT_UNAWARE)
