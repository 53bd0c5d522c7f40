"""Answers into the bytes of this dialect, whole or as a stream."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from msgspec import Raw

from relay.adapters.dialects import lenient
from relay.adapters.dialects.base import Scene, StreamEncoder
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.freeform import as_json
from relay.adapters.dialects.gemini_generate import grounding, usage
from relay.adapters.dialects.gemini_generate.errors import in_band_error
from relay.adapters.dialects.gemini_generate.norm import norm_choice, spoken
from relay.adapters.dialects.gemini_generate.reading import NAME
from relay.adapters.dialects.held_answers import HeldEncoder, Pieces, whole_pieces
from relay.adapters.dialects.ollama_chat.calls import object_text
from relay.domain.chat import Opaque, Refusal, Text, Thinking, ToolCall
from relay.domain.events import AnswerPart, ChatResponse, Choice, TokenLogprob

type Written = dict[str, object]


def encode_response(response: ChatResponse, scene: Scene) -> bytes:
    """The body of an answer that is not streamed."""
    pieces = whole_pieces(response)
    candidates = [
        _candidate(choice.index, _parts(choice, pieces[choice.index])) | _last(choice, scene.id)
        for choice in response.choices
    ]
    return lenient.encode(_answer(candidates, response, scene))


def encoder(scene: Scene) -> StreamEncoder:
    """A fresh encoder; the stream comes when the answer is complete."""

    def write(response: ChatResponse, pieces: Pieces) -> bytes:
        return b"".join(sse_frame(lenient.encode(chunk)) for chunk in _chunks(response, pieces, scene))

    return HeldEncoder(write, in_band_error)


def _chunks(response: ChatResponse, pieces: Pieces, scene: Scene) -> Iterator[Written]:
    """A chunk for each piece; the last ones have the finish words and the counts."""
    for choice in response.choices:
        for part in _parts(choice, pieces.get(choice.index, ())):
            yield _answer([_candidate(choice.index, [part])], None, scene)
    for choice in response.choices:
        candidate = _candidate(choice.index, []) | _last(choice, scene.id)
        yield _answer([candidate], response, scene)


def _answer(candidates: list[Written], counted: ChatResponse | None, scene: Scene) -> Written:
    answer: Written = {"candidates": candidates}
    if counted is not None and counted.usage is not None:
        answer["usageMetadata"] = usage.written(counted.usage)
    return answer | {"modelVersion": scene.model, "responseId": scene.id}


def _candidate(index: int, parts: Sequence[object]) -> Written:
    return {"content": {"parts": parts, "role": "model"}, "index": index}


def _last(choice: Choice, answer_id: str) -> Written:
    """What is told of a choice beside its parts."""
    settled = norm_choice(choice, answer_id)
    told: Written = {"finishReason": settled.raw_finish}
    if settled.logprobs:
        told["logprobsResult"] = _logprobs(settled.logprobs)
    citations = [each for part in settled.parts if isinstance(part, Text) for each in part.citations]
    if citations:
        told["groundingMetadata"] = grounding.written(citations, spoken(settled.parts))
    return told


def _parts(choice: Choice, pieces: Sequence[Sequence[str]]) -> list[object]:
    return [
        written for part, said in zip(choice.parts, pieces, strict=True) for written in _written(part, said)
    ]


def _written(part: AnswerPart, pieces: Sequence[str]) -> Iterator[object]:
    """A part in pieces; one with a signature is not cut."""
    match part:
        case Text() if part.signature:
            yield {"text": part.text, "thoughtSignature": part.signature}
        case Thinking(origin=origin) if origin == NAME and part.signature:
            yield {"text": part.text, "thought": True, "thoughtSignature": part.signature}
        case Text() | Refusal():
            yield from ({"text": piece} for piece in pieces if piece)
        case Thinking():
            yield from ({"text": piece, "thought": True} for piece in pieces if piece)
        case ToolCall():
            yield _call(as_json(part))
        case Opaque(origin=origin, json=json):
            if origin == NAME:
                yield Raw(json.encode())
        case _:
            assert_never(part)


def _call(call: ToolCall) -> Written:
    called: Written = {"name": call.name, "args": Raw(object_text(call.arguments).encode())}
    written: Written = {"functionCall": called | ({"id": call.id} if call.id else {})}
    return written | ({"thoughtSignature": call.signature} if call.signature else {})


def _logprobs(tokens: Sequence[TokenLogprob]) -> Written:
    return {
        "chosenCandidates": [_token(token.token, token.logprob) for token in tokens],
        "topCandidates": [
            {"candidates": [_token(rival.token, rival.logprob) for rival in token.top]} for token in tokens
        ],
    }


def _token(token: str, logprob: float) -> Written:
    return {"token": token, "logProbability": logprob}
