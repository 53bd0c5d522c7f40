"""Laws of requests: they settle, they are peeked at truly, and retargeting touches next to nothing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import assume, event
from hypothesis import strategies as st

from relay.adapters.dialects.lenient import escape_separators
from relay.domain.chat import ChatRequest, Completion, JsonSchema, Part, ToolCall
from relay.domain.errors import ClientError, Unsupported
from tests.support.laws.language import Language
from tests.support.laws.law import Law
from tests.support.laws.spoken import spoken
from tests.support.strategies.mutations import miswritten
from tests.support.strategies.prompts import prompts
from tests.support.strategies.texts import json_texts, words


@dataclass(frozen=True, slots=True)
class Retargeting:
    """A client's body as it spelled its members, and the name its model goes by at the provider."""

    members: Sequence[tuple[str, str]]
    colon: str
    model: str
    count_usage: bool

    @property
    def body(self) -> bytes:
        """The body as sent."""
        return spelled(self.members, self.colon).encode()


def spelled(members: Sequence[tuple[str, str]], colon: str = ":") -> str:
    """A JSON object of these members, values verbatim."""
    return "{" + ",".join(f"{json.dumps(key)}{colon}{value}" for key, value in members) + "}"


def encodable(language: Language) -> st.SearchStrategy[ChatRequest]:
    """Requests that this dialect can carry."""
    return language.requests.filter(lambda request: _carries(language, request))


def _carries(language: Language, request: ChatRequest) -> bool:
    try:
        language.dialect.encode_request(request)
    except Unsupported:
        return False
    return True


@st.composite
def retargetings(draw: st.DrawFn, language: Language) -> Retargeting:
    """Bodies with unknown members in between, spaced one way or the other."""
    valid = language.sent(draw(encodable(language)))
    members = [(key, json.dumps(value, ensure_ascii=False)) for key, value in json.loads(valid).items()]
    known = {key for key, _ in members}
    if draw(st.booleans()):
        members = [(key, value) for key, value in members if key != "stream_options"]
        members.append(("stream_options", '{"include_obfuscation": false}'))
    for key, value in draw(st.dictionaries(words, json_texts, max_size=3)).items():
        if key not in known | {"stream_options", "stream", "model"}:
            members.insert(draw(st.integers(0, len(members))), (key, value))
    model = draw(st.sampled_from(("gpt-5-mini", "qwen3:8b", 'odd "name" \u2028')))
    return Retargeting(members, draw(st.sampled_from((":", " : "))), model, draw(st.booleans()))


def _settles(language: Language, request: ChatRequest) -> None:
    once = language.dialect.decode_request(language.sent(request))
    assert once == language.norm_request(request)
    assert language.dialect.decode_request(language.sent(once)) == once
    assert language.norm_request(once) == once


def _client_settles(language: Language, body: bytes) -> None:
    """Whatever a client writes means the same when the relay writes it."""
    try:
        read = language.dialect.decode_request(body)
        written = language.sent(read)
    except ClientError as error:
        event(f"refused: {type(error).__name__}")
        assume(False)
        return
    assert language.dialect.decode_request(written) == language.norm_request(read)


def _peeked(language: Language, body: bytes) -> None:
    try:
        read = language.dialect.decode_request(body)
    except ClientError:
        assume(False)
        return
    envelope = language.dialect.peek(body)
    assert (envelope.model, envelope.stream) == (read.model, read.stream)
    if read.stream:
        assert envelope.include_usage == (read.include_usage or language.always_tells_usage)
    sent = language.asked(language.dialect.retarget(body, "served-by", count_usage=True))
    served = language.dialect.decode_request(sent)
    assert (served.model, served.stream) == ("served-by", read.stream)
    meant = spoken(language.dialect.name).meant
    assert _meant(meant(served)) == _meant(meant(read))


def _meant(request: ChatRequest) -> ChatRequest:
    """The request with embedded JSON spelled one way, and without what retargeting is there to change.

    A body of irregular bytes is written anew before it is decoded, but not before it is passed on.
    """
    return replace(
        request,
        model="",
        include_usage=False,
        messages=tuple(
            replace(message, parts=tuple(plain_call(part) for part in message.parts))
            for message in request.messages
        ),
        tools=tuple(replace(tool, parameters=_plain_json(tool.parameters)) for tool in request.tools),
        output=replace(request.output, schema=_plain_json(request.output.schema))
        if isinstance(request.output, JsonSchema)
        else request.output,
        extras={
            name: {field: _plain_json(text) for field, text in extra.items()}
            for name, extra in request.extras.items()
        },
    )


def plain_call[P: Part](part: P) -> P:
    """A part of a message or an answer with its arguments, if it is a call, spelled one way."""
    return replace(part, arguments=_plain_json(part.arguments)) if isinstance(part, ToolCall) else part


def _plain_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text


def _retarget(language: Language, case: Retargeting) -> None:
    wire = language.dialect.retarget(case.body, case.model, count_usage=case.count_usage)
    assert wire.losses == ()
    empty = ("null", "[]") if language.leaves_out_empty else ()
    before = {key: value for key, value in case.members if value not in empty}
    said = {key: before.pop(key) for key in language.in_path & before.keys()}
    after = _members(wire.body)
    assert [key for key, _ in after if key in before] == list(before), "order is kept"
    for key, value in after:
        if key == "model":
            assert json.loads(value) == case.model
        elif key == "stream_options":
            _check_usage_flag(before, value)
        else:
            assert value == escape_separators(before[key].encode()).decode(), "values are untouched"
    asks = not language.always_tells_usage and case.count_usage and before.get("stream") == "true"
    added = {key for key, _ in after} - set(before)
    assert added <= ({"stream_options"} if asks else set())
    if said:
        peeked = language.dialect.peek(language.asked(wire))
        assert (peeked.model, peeked.stream) == (case.model, said.get("stream") == "true")
    if asks:
        assert json.loads(dict(after)["stream_options"])["include_usage"] is True
    elif "stream_options" in before:
        assert json.loads(dict(after)["stream_options"]) == json.loads(before["stream_options"])


def _check_usage_flag(before: dict[str, str], value: str) -> None:
    given = json.loads(before.get("stream_options", "{}"))
    told = json.loads(value)
    assert {key: told[key] for key in told if key != "include_usage"} == {
        key: given[key] for key in given if key != "include_usage"
    }


def _members(body: bytes) -> list[tuple[str, str]]:
    """Top-level members of a compact JSON object, each value as it is spelled."""
    text = body.decode()
    decoder = json.JSONDecoder()
    members: list[tuple[str, str]] = []
    place = 1
    while text[place] != "}":
        key, place = decoder.raw_decode(text, place)
        assert text[place] == ":"
        _, end = decoder.raw_decode(text, place + 1)
        members.append((key, text[place + 1 : end]))
        place = end + (text[end] == ",")
    return members


def _completion_is_kept(language: Language, request: ChatRequest) -> None:
    """A chat that takes the place of a completion would be another answer, and nobody told."""
    try:
        wire = language.dialect.encode_request(request)
    except Unsupported:
        return
    assert language.dialect.decode_request(language.asked(wire)).completion == request.completion


def _completing(_: Language) -> st.SearchStrategy[ChatRequest]:
    return prompts.filter(lambda request: request.completion not in (None, Completion()))


def _bodies(language: Language) -> st.SearchStrategy[bytes]:
    valid = encodable(language).map(language.sent)
    return st.one_of(valid, miswritten(valid))


SETTLES = Law("requests settle", encodable, _settles)
CLIENT_SETTLES = Law("what a client may write settles", _bodies, _client_settles)
PEEKED = Law("a peek and a retargeted body agree with the request", _bodies, _peeked)
RETARGET = Law(
    "retargeting touches the model, the usage flag and what is empty only", retargetings, _retarget
)
COMPLETION_KEPT = Law("what makes a completion is carried or refused", _completing, _completion_is_kept)

REQUEST_LAWS = (SETTLES, CLIENT_SETTLES, PEEKED, RETARGET, COMPLETION_KEPT)
