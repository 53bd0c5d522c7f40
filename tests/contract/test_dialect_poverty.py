"""What `norm` does to an answer is what the dialect's `POVERTY` says, no more and no less.

Every difference between an answer and its norm is named by comparing them field by field; every sentence of
`POVERTY` is translated into the differences it stands for (in `tests.support.laws.spoken`). Generated answers must
show exactly those.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.chat import Citation, Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.events import AnswerPart, ChatResponse, Choice, TokenLogprob
from relay.domain.folding import fold, unfold
from relay.domain.usage import Usage
from tests.support.laws.language import ClientLanguage, Language, a_scene, in_scene
from tests.support.laws.languages import CLIENT_LANGUAGES, LANGUAGES, package_of
from tests.support.laws.spoken import spoken
from tests.support.strategies.answers import responses


def differences(before: ChatResponse, after: ChatResponse) -> Iterator[str]:
    """The names of everything that is not the same."""
    if before.id != after.id:
        yield "id"
    if before.created != after.created:
        yield "created"
    if before.model != after.model:
        yield "model lost"
    kept = {choice.index: choice for choice in after.choices}
    for choice in before.choices:
        if choice.index in kept:
            yield from _choice_differences(choice, kept[choice.index])
        else:
            yield "choice left out"
    yield from _usage_differences(before.usage or Usage(), after.usage or Usage())


def _choice_differences(before: Choice, after: Choice) -> Iterator[str]:
    yield from _text_differences(before.parts, after.parts)
    yield from _citation_differences(before.parts, after.parts)
    yield from _call_differences(_calls(before.parts), _calls(after.parts))
    if before.finish != after.finish:
        yield "finish derived"
    if before.raw_finish != after.raw_finish:
        yield "finish word"
    if before.logprobs != after.logprobs:
        clipped = any(not math.isfinite(token.logprob) for token in before.logprobs)
        yield "logprob clipped" if clipped else "logprobs lost"


def _text_differences(before: tuple[AnswerPart, ...], after: tuple[AnswerPart, ...]) -> Iterator[str]:
    if joined(before, Thinking) != joined(after, Thinking):
        yield "thinking lost"
    if joined(before, Refusal) and not joined(after, Refusal):
        same = joined(before, Text, Refusal) == joined(after, Text)
        yield "refusal as text" if same else "refusal lost"
    elif (joined(before, Text), joined(before, Refusal)) != (joined(after, Text), joined(after, Refusal)):
        yield "text lost"
    if not set(_seals(before)) <= set(_seals(after)):
        yield "signature left out"
    if not {part for part in before if isinstance(part, Opaque)} <= set(after):
        yield "opaque left out"
    if any(not isinstance(part, ToolCall | Opaque) and not part.text for part in before):
        yield "empty part left out"
    spoken = [
        type(part)
        for part in before
        if isinstance(part, ToolCall) or (not isinstance(part, Opaque) and part.text)
    ]
    if len(spoken) > len(after):
        yield "parts joined"
    heard = [
        type(part)
        for part in after
        if isinstance(part, ToolCall) or (not isinstance(part, Opaque) and part.text)
    ]
    firsts = [kind for kind in dict.fromkeys(spoken) if kind in heard]
    if firsts != list(dict.fromkeys(heard)):
        yield "order"


def _seals(parts: tuple[AnswerPart, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Text | Thinking | ToolCall) and part.signature:
            yield part.signature
        if isinstance(part, Thinking) and part.sealed:
            yield part.sealed


def _citation_differences(before: tuple[AnswerPart, ...], after: tuple[AnswerPart, ...]) -> Iterator[str]:
    """What is cited, but for its place: that moves where texts are joined."""
    old, new = _cited(before), _cited(after)
    if old and not joined(before, Text):
        yield "nothing cited" if not new else "citation invented"
    elif {each[:2] for each in old} != {each[:2] for each in new}:
        yield "citations lost" if set(new) <= set(old) else "citation invented"
    else:
        if set(old) != set(new):
            yield "citation moved"
        if len(new) < len(old):
            yield "cited once"


def _cited(parts: tuple[AnswerPart, ...]) -> list[tuple[str, str, int]]:
    texts = [part for part in parts if isinstance(part, Text)]
    return [(each.url, each.title, each.end - each.start) for text in texts for each in text.citations]


def _call_differences(before: list[ToolCall], after: list[ToolCall]) -> Iterator[str]:
    if [call.name for call in before] != [call.name for call in after]:
        yield "call lost"
        return
    for old, new in zip(before, after, strict=True):
        if old.id != new.id:
            yield "call id"
        if old.arguments == new.arguments:
            continue
        if old.arguments == "":
            yield "empty arguments filled"
        else:
            yield "arguments respelled" if _same_json(old.arguments, new.arguments) else "arguments wrapped"


def _usage_differences(before: Usage, after: Usage) -> Iterator[str]:
    old, new = before.counts(), after.counts()
    for name, count in old.items():
        if name not in new:
            is_main = name in ("input_tokens", "output_tokens")
            yield "usage 0 left out" if is_main and not count else "usage class left out"
        elif new[name] != count:
            yield "usage clamped" if new[name] < count else "usage invented"
    for name in new.keys() - old.keys():
        yield "usage filled with 0" if new[name] == 0 else "usage invented"


def joined(parts: tuple[AnswerPart, ...], *kinds: type[AnswerPart]) -> str:
    """The text of all parts of these kinds."""
    texts = (part for part in parts if not isinstance(part, ToolCall | Opaque))
    return "".join(part.text for part in texts if isinstance(part, kinds))


def _calls(parts: tuple[AnswerPart, ...]) -> list[ToolCall]:
    return [part for part in parts if isinstance(part, ToolCall)]


def _same_json(one: str, other: str) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def _one(
    *parts: AnswerPart, usage: Usage | None = None, logprobs: tuple[TokenLogprob, ...] = ()
) -> ChatResponse:
    return ChatResponse(choices=(Choice(parts=parts, finish="stop", logprobs=logprobs),), usage=usage)


SOURCE = Citation(url="https://example.org/1", title="One", start=0, end=2)
BARE = Citation(url="https://example.org/2")

RARE = (
    _one(ToolCall(id="", name="look", arguments="{}")),
    _one(ToolCall(id="c", name="look", arguments="{}"), ToolCall(id="c", name="look", arguments="{}")),
    _one(
        Text(text="hi"),
        usage=Usage(input_tokens=1, output_tokens=2, output_reasoning_tokens=3, web_searches=1),
    ),
    _one(Text(text="hi"), usage=Usage(input_tokens=0, output_tokens=2)),
    _one(Text(text="hi"), logprobs=(TokenLogprob(token="hi", logprob=float("-inf")),)),
    _one(ToolCall(id="c", name="look", arguments='{ "at" : [1.50, "\u2028"] }')),
    _one(Text(text="hi"), Thinking(text="hm")),
    _one(Refusal(text="no")),
    _one(ToolCall(id="c", name="look", arguments="")),
    _one(Text(text="hi", citations=(SOURCE, SOURCE)), Text(text="ho", citations=(SOURCE, BARE))),
    _one(Text(text="", citations=(SOURCE,))),
    _one(Text(text="", citations=(SOURCE,)), Text(text="hi")),
    _one(Text(text="hi"), Text(text="ho"), ToolCall(id="c", name="look", arguments="{}")),
    _one(Text(text="hi"), Opaque(origin="cohere.v2", json='{"type":"x"}')),
    _one(Text(text="hi"), Opaque(origin="gemini.generate", json='{"executableCode":{}}')),
)
"""What the generated answers seldom or never hold, or by luck: what is generated depends on what was imported."""


@pytest.mark.law
@pytest.mark.parametrize("language", CLIENT_LANGUAGES, ids=str)
def test_norm_changes_what_poverty_says_and_nothing_else(language: ClientLanguage) -> None:
    shown: set[str] = set()

    @settings(max_examples=max(150, settings().max_examples))
    @given(st.one_of(responses(), responses(max_choices=2)))
    def collect(response: ChatResponse) -> None:
        shown.update(differences(response, language.norm(response)))

    collect()
    for response in RARE:
        named = in_scene(response, a_scene())
        shown.update(differences(named, language.norm(named)))
    said = set().union(*spoken(language.dialect.name).poverty.values())
    assert shown - said == set(), "norm drops what the poverty does not tell"
    assert said - shown == set(), "the poverty tells of what norm does not drop"


@pytest.mark.parametrize("language", CLIENT_LANGUAGES, ids=str)
def test_every_sentence_of_the_poverty_has_a_meaning(language: ClientLanguage) -> None:
    sentences = import_module(f"{package_of(language.dialect)}.norm").POVERTY
    openings = spoken(language.dialect.name).poverty
    assert len(sentences) == len(openings)
    for sentence, opening in zip(sentences, openings, strict=True):
        assert sentence.startswith(opening)


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
@pytest.mark.parametrize(
    "response",
    RARE,
    ids=[
        "no id",
        "same id",
        "odd usage",
        "no input",
        "no probability",
        "blanks",
        "thought late",
        "refused",
        "no arguments",
        "cited twice",
        "nothing cited",
        "cited by nothing",
        "spoken twice before a call",
        "a part of Cohere's",
        "a part of Gemini's",
    ],
)
def test_rare_answers_make_the_round_trip_too(language: Language, response: ChatResponse) -> None:
    read = fold(language.read([language.written(unfold(response), a_scene())]))
    calls = [part for choice in read.choices for part in choice.parts if isinstance(part, ToolCall)]
    assert all(call.id for call in calls)
    expected = language.expected(response, a_scene())
    if all(call.id for choice in expected.choices for call in choice.parts if isinstance(call, ToolCall)):
        assert read == expected


def test_a_difference_that_nobody_declared_has_a_name_that_is_in_no_poverty() -> None:
    before = ChatResponse(
        id="i", model="m", created=1, usage=Usage(input_tokens=1),
        choices=(
            Choice(
                parts=(Thinking(text="a"), Refusal(text="c"), ToolCall(id="d", name="e", arguments="{}")),
                finish="stop",
                logprobs=(TokenLogprob(token="t", logprob=-1.0),),
            ),
        ),
    )  # fmt: skip
    after = ChatResponse(choices=(Choice(parts=(), finish="stop"),), usage=Usage(output_tokens=5))
    assert set(differences(before, after)) >= {
        "model lost",
        "thinking lost",
        "refusal lost",
        "call lost",
        "logprobs lost",
        "usage class left out",
        "usage invented",
    }
    assert set(differences(_one(Text(text="b")), _one(Text(text="B")))) == {"text lost"}
    sourced, bare = _one(Text(text="b", citations=(SOURCE,))), _one(Text(text="b", citations=(BARE,)))
    assert set(differences(sourced, bare)) == {"citation invented"}
    elsewhere = _one(Text(text="b", citations=(replace(SOURCE, end=7),)))
    assert set(differences(sourced, elsewhere)) == {"citation moved"}
