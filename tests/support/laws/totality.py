"""Laws of defence: any bytes at all give an answer or a declared failure, within bounded memory.

What was read of odd bytes is also written again, in every dialect: no encoder may choke on what a decoder lets by.
"""

import json
import tracemalloc
from collections.abc import Mapping
from contextlib import suppress

from hypothesis import event
from hypothesis import strategies as st

from relay.adapters.dialects.base import MAX_EVENT_BYTES, ProviderFault
from relay.domain.chat import ChatRequest, DialectName
from relay.domain.errors import ClientError, Malformed, Unsupported, UpstreamError
from relay.domain.events import StreamEvent
from tests.support.laws.language import ClientLanguage, Language, a_scene, failure_of
from tests.support.laws.languages import CLIENT_LANGUAGES, LANGUAGES
from tests.support.laws.law import Law
from tests.support.laws.requests import encodable
from tests.support.laws.streams import Answer, Stream, answers, streams
from tests.support.strategies.cuts import chunked
from tests.support.strategies.mutations import damaged, miswritten
from tests.support.strategies.prompts import completion_bodies
from tests.support.strategies.texts import json_texts

BODIES: Mapping[DialectName, st.SearchStrategy[bytes]] = {"openai.completions": completion_bodies}
"""What clients write in the dialects that only they speak."""


def _request_bodies(language: Language) -> st.SearchStrategy[bytes]:
    valid = encodable(language).map(language.sent)
    return st.one_of(damaged(valid), miswritten(valid), _noise())


def _response_bodies(language: Language) -> st.SearchStrategy[bytes]:
    valid = answers().map(lambda answer: language.dialect.encode_response(answer.response, a_scene()))
    return st.one_of(damaged(valid), miswritten(valid), _noise())


NOISE = (
    b"", b"{}", b"[]", b"null", b"{}{}", b"\xef\xbb\xbf{}", b"<html>",
    b'{"error":{}}', b'{"error":null}', b'{"error":"x"}', b'{"error":{"code":{}}}', b'{"error":{"message":[]}}',
)  # fmt: skip


def _noise() -> st.SearchStrategy[bytes]:
    return st.one_of(st.binary(max_size=200), json_texts.map(str.encode), st.sampled_from(NOISE))


def _framed(language: Language, body: bytes) -> bytes:
    body = body.replace(b"\n", b" ")
    return body + b"\n" if language.dialect.framing == "ndjson" else b"data: " + body + b"\n\n"


def _streams(language: Language) -> st.SearchStrategy[Stream]:
    framed = _response_bodies(language).map(lambda body: _framed(language, body))
    pieces = st.lists(st.one_of(framed, _noise()), max_size=3)
    noisy = pieces.map(lambda some: Stream(b"".join(some), [7, 100]))
    return st.one_of(streams(language), noisy, _miswritten_streams(language))


def _failing_streams(language: Language) -> st.SearchStrategy[Stream]:
    """Most of them tell of a failure."""
    failure = _framed(language, b'{"error":"no"}')
    told = streams(language).map(lambda stream: Stream(b"%b\n\n%b" % (stream.data, failure), stream.lengths))
    alone = st.just(Stream(failure, [3]))
    return st.one_of(alone, told, _streams(language))


def _miswritten_streams(language: Language) -> st.SearchStrategy[Stream]:
    """Streams in which every frame is JSON but one or two values in each are wrong."""
    head = _framed(language, b"").rstrip()

    def frames(answer: Answer) -> list[bytes]:
        data = language.written(answer.events[:12], a_scene())
        bodies = [line.removeprefix(head) for line in data.split(b"\n")]
        return [body for body in bodies if _is_object(body)]

    def rewritten(bodies: list[bytes]) -> st.SearchStrategy[Stream]:
        each = [st.one_of(st.just(body), miswritten(st.just(body))) for body in bodies]
        return st.tuples(*each).map(
            lambda some: Stream(b"".join(_framed(language, one) for one in some), [11])
        )

    return answers().map(frames).flatmap(rewritten)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _requests_total(language: Language, body: bytes) -> None:
    dialect = language.dialect
    for read in (dialect.peek, lambda data: dialect.retarget(data, "m", count_usage=True)):
        with suppress(ClientError):
            read(body)
    try:
        request = dialect.decode_request(body)
    except ClientError:
        return
    for provider in (language, *LANGUAGES):
        _written_or_unsupported(provider, request)


def _asked_bodies(language: ClientLanguage) -> st.SearchStrategy[bytes]:
    valid = BODIES[language.dialect.name]
    return st.one_of(valid, damaged(valid), miswritten(valid), _noise())


def _asked_total(language: ClientLanguage, body: bytes) -> None:
    try:
        request = language.dialect.decode_request(body)
    except ClientError:
        with suppress(ClientError):
            language.dialect.peek(body)
        return
    envelope = language.dialect.peek(body)
    asked = (request.model, request.stream, request.include_usage)
    assert (envelope.model, envelope.stream, envelope.include_usage) == asked
    for provider in LANGUAGES:
        _written_or_unsupported(provider, request)


def _written_or_unsupported(language: Language, request: ChatRequest) -> None:
    try:
        wire = language.dialect.encode_request(request)
    except Unsupported:
        return
    assert isinstance(json.loads(wire.body), dict)
    assert all(isinstance(loss, str) for loss in wire.losses)


def _responses_total(language: Language, body: bytes) -> None:
    dialect = language.dialect
    with suppress(Malformed):
        json.loads(dialect.rename_response(body, "m"))
    assert isinstance(dialect.decode_error(body), ProviderFault)
    try:
        response = dialect.decode_response(body)
    except UpstreamError:
        return
    for client in (language, *CLIENT_LANGUAGES):
        assert isinstance(json.loads(client.dialect.encode_response(response, a_scene())), dict)


def _streams_total(language: Language, stream: Stream) -> None:
    events = language.read(chunked(stream.data, stream.lengths))
    failure = failure_of(events)
    assert failure is None or isinstance(failure, UpstreamError)
    for client in (language, *CLIENT_LANGUAGES):
        client.written(events, a_scene())
    seen, _ = language.tapped(chunked(stream.data, stream.lengths), a_scene())
    seen_failure = failure_of(seen)
    assert seen_failure is None or isinstance(seen_failure, UpstreamError)


def _silent_after_failure(language: Language, stream: Stream) -> None:
    decoder, tap = language.dialect.decoder(), language.dialect.tap(a_scene())
    if failure_of(list(decoder.feed(stream.data))) is None:
        event("no failure before the end")
        return
    assert [*decoder.feed(stream.data), *decoder.close()] == []
    assert failure_of(list(tap.feed(stream.data).events)) is not None
    after = (tap.feed(stream.data), tap.close())
    assert [(list(each.events), each.raw) for each in after] == [([], b""), ([], b"")]


REQUESTS_TOTAL = Law("any bytes are a request or the client's fault", _request_bodies, _requests_total)
ASKED_TOTAL = Law("any bytes of a client's are a request or its fault", _asked_bodies, _asked_total)
RESPONSES_TOTAL = Law("any bytes are an answer or the provider's fault", _response_bodies, _responses_total)
STREAMS_TOTAL = Law("any bytes are a stream or the provider's fault", _streams, _streams_total)
SILENT = Law("nothing follows a failure", _failing_streams, _silent_after_failure)

TOTAL_LAWS = (REQUESTS_TOTAL, RESPONSES_TOTAL, STREAMS_TOTAL, SILENT)

CHUNK = 256 * 1024
SLACK_BYTES = 4 * MAX_EVENT_BYTES


def bounded(language: Language, beginning: bytes, filler: bytes) -> None:
    """A frame that never ends is a declared failure, found near the limit, and does not pile up in memory."""
    endless = filler * (CHUNK // len(filler))
    _bounded_feed(language, beginning, endless, tap=False)
    _bounded_feed(language, beginning, endless, tap=True)


def _bounded_feed(language: Language, beginning: bytes, endless: bytes, *, tap: bool) -> None:
    scene = a_scene()
    tapping = language.dialect.tap(scene)
    decoding = language.dialect.decoder()

    def feed(data: bytes) -> list[StreamEvent]:
        return list(tapping.feed(data).events) if tap else list(decoding.feed(data))

    tracemalloc.start()
    try:
        feed(beginning)
        fed, failures = 0, list[StreamEvent]()
        while not failures and fed < 4 * MAX_EVENT_BYTES:
            failures = feed(endless)
            fed += len(endless)
        for _ in range(8):
            assert feed(endless) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(failures) == 1
    assert isinstance(failure_of(failures), Malformed)
    assert fed <= MAX_EVENT_BYTES + 2 * CHUNK
    assert peak < SLACK_BYTES
