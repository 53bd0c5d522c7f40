"""OpenAI's `/embeddings`, as OpenAI and the servers compatible with it speak it (`openai.embeddings`)."""

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient, splice
from relay.adapters.dialects.base import WireRequest, check_items
from relay.adapters.dialects.embeddings.dialect import EmbedReading, EmbedScene
from relay.adapters.dialects.embeddings.vectors import read_count, read_vector, written
from relay.adapters.dialects.openai_chat import errors
from relay.adapters.dialects.openai_chat.envelope import check_utf8, regular
from relay.domain.embeddings import EmbeddingDialectName, EmbedRequest, EmbedResponse, VectorEncoding
from relay.domain.errors import InvalidRequest, Malformed, UpstreamError
from relay.domain.usage import Usage

NAME: EmbeddingDialectName = "openai.embeddings"
PATH = "/embeddings"

POVERTY = (
    "Counts other than the input's are left out.",
    "Where the provider counted nothing, the relay's estimate stands in: clients need a number.",
    "In base64, numbers are rounded to 32 bits.",
)
REQUEST_POVERTY = (
    "`dimensions` of a client of Ollama's is not sent: vectors that are longer are cut by the relay.",
    "`truncate`, where it is true, is lost: an input that is too long is refused.",
    "What only Ollama knows (`keep_alive`, `options`) is lost.",
)

ABSENT = Raw(b"")
_NOTHING = (b"", b"null")
_KNOWN = frozenset({"model", "input", "encoding_format", "dimensions"})
_ENCODINGS: dict[str, VectorEncoding] = {"": "float", "float": "float", "base64": "base64"}
_MAX_ERROR_BYTES = 64 * 1024

type _Input = str | list[str | int | list[int]]


class _Body(msgspec.Struct):
    """A caller's body."""

    model: str | None = None
    input: Raw = ABSENT
    encoding_format: str | None = None
    dimensions: int | None = None


class _Item(msgspec.Struct):
    """One vector of an answer; `index` says which input it belongs to."""

    embedding: Raw = ABSENT
    index: object = None


class _Answer(msgspec.Struct):
    """A provider's answer; its counts are not trusted to be any."""

    data: list[_Item] | None = None
    usage: object = None


class _WrittenItem(msgspec.Struct):
    object: str
    index: int
    embedding: Raw


class _WrittenUsage(msgspec.Struct):
    prompt_tokens: int
    total_tokens: int


class _Written(msgspec.Struct):
    object: str
    data: list[_WrittenItem]
    model: str
    usage: _WrittenUsage


_body = msgspec.json.Decoder(_Body, strict=False)
_input = msgspec.json.Decoder(_Input)
_answer = msgspec.json.Decoder(_Answer)


class OpenAIEmbeddings:
    """The codec; see `EmbeddingDialect` for what each method promises."""

    name: EmbeddingDialectName = NAME
    content_type = "application/json"
    takes_tokens = True

    path = PATH
    read_vector = staticmethod(read_vector)

    decode_error = staticmethod(errors.decode_error)
    encode_error = staticmethod(errors.encode_error)

    def decode_request(self, body: bytes) -> EmbedRequest:
        check_utf8(body)
        return regular(body, _decoded)

    def encode_request(self, request: EmbedRequest) -> WireRequest:
        """A caller of Ollama's wants at most so many dimensions of any model, which not every provider can do.

        So `dimensions` is not sent for it: its vectors are cut here.
        """
        members: dict[str, object] = {
            "model": request.model,
            "input": request.texts or request.token_lists,
        }
        if request.encoding != "float":
            members["encoding_format"] = request.encoding
        if request.dimensions is not None and not request.unit_length:
            members["dimensions"] = request.dimensions
        for name, text in request.extras.get(NAME, {}).items():
            members.setdefault(name, Raw(text.encode()))
        return WireRequest(path=self.path, body=lenient.encode(members), losses=tuple(_losses(request)))

    def retarget(self, body: bytes, model: str) -> WireRequest:
        given = regular(body, splice.top_level)
        members = {name: value for name, value in given.items() if not splice.is_other_spelling(name)}
        members["model"] = splice.raw(model)
        return WireRequest(path=self.path, body=splice.assemble(members))

    def decode_response(self, body: bytes, request: EmbedRequest) -> EmbedReading:
        try:
            answer = _answer.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise _failure(body) from None
        if answer.data is None:
            raise _failure(body)
        items, is_in_order = _in_order(answer.data)
        read = [self.read_vector(item.embedding) for item in items]
        usage = _usage_in(answer.usage)
        is_encoded_as_asked = all(encoding == request.encoding for _, encoding in read)
        return EmbedReading(
            response=EmbedResponse(vectors=tuple(vector for vector, _ in read), usage=usage),
            is_as_asked=is_in_order and is_encoded_as_asked and usage is not None,
        )

    def rename_response(self, body: bytes, model: str) -> bytes:
        return splice.assemble(splice.top_level(body) | {"model": splice.raw(model)})

    def encode_response(self, response: EmbedResponse, scene: EmbedScene) -> bytes:
        counted = response.usage.input_tokens if response.usage is not None else None
        tokens = scene.input_tokens_estimate if counted is None else counted
        items = [
            _WrittenItem("embedding", index, written(vector, scene.encoding))
            for index, vector in enumerate(response.vectors)
        ]
        return lenient.encode(_Written("list", items, scene.model, _WrittenUsage(tokens, tokens)))


def _decoded(body: bytes) -> EmbedRequest:
    read = _body.decode(body)
    if not read.model:
        raise InvalidRequest(
            "you must provide a model parameter", code="missing_required_parameter", param="model"
        )
    if read.dimensions is not None and read.dimensions < 1:
        raise InvalidRequest("dimensions must be at least 1", code="invalid_value", param="dimensions")
    texts, token_lists = _inputs(read.input)
    extras = {
        name: bytes(value).decode()
        for name, value in splice.top_level(body).items()
        if name not in _KNOWN
        and not splice.is_other_spelling(name)
        and bytes(value) not in (*_NOTHING, b"[]")
    }
    return EmbedRequest(
        model=read.model,
        texts=texts,
        token_lists=token_lists,
        dimensions=read.dimensions,
        encoding=_encoding(read.encoding_format or ""),
        extras={NAME: extras} if extras else {},
    )


def _encoding(word: str) -> VectorEncoding:
    if (encoding := _ENCODINGS.get(word.lower())) is None:
        raise InvalidRequest(
            f"invalid value for 'encoding_format': {word[:40]!r} is neither 'float' nor 'base64'",
            code="invalid_value",
            param="encoding_format",
        )
    return encoding


def _inputs(value: Raw) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """The texts, or the lists of token ids: one of them is empty. Raises `InvalidRequest`."""
    given = None if bytes(value) in _NOTHING else _read_input(value)
    match given:
        case str():
            return (given,), ()
        case [str(), *_]:
            texts = tuple(item for item in given if isinstance(item, str))
            if len(texts) == len(given):
                return texts, ()
        case [int(), *_]:
            tokens = tuple(item for item in given if isinstance(item, int))
            if len(tokens) == len(given):
                return (), (tokens,)
        case [list(), *_]:
            lists = tuple(tuple(item) for item in given if isinstance(item, list) and item)
            if len(lists) == len(given):
                return (), lists
        case _:
            pass
    raise _invalid_input()


def _read_input(value: Raw) -> _Input:
    try:
        given: _Input = lenient.decode(_input, partial(msgspec.convert, type=_Input), bytes(value))
    except lenient.Undecodable:
        raise _invalid_input() from None
    if isinstance(given, list) and not isinstance(next(iter(given), None), int):  # ids are of one input
        check_items(given)
    return given


def _invalid_input() -> InvalidRequest:
    return InvalidRequest("invalid input", param="input")


def _losses(request: EmbedRequest) -> Iterator[str]:
    if request.truncate:
        yield "truncate"
    for dialect, extras in request.extras.items():
        if dialect != NAME:
            yield from (f"{dialect}:{name}" for name in extras)


def _in_order(items: Sequence[_Item]) -> tuple[Sequence[_Item], bool]:
    """The items by their index, and whether they stood so; without any index they stand as the inputs do.

    Raises `Malformed` when an input would have two vectors or none.
    """
    if all(item.index is None for item in items):
        return items, False
    by_index = {read_count(item.index): item for item in items}
    wanted = range(len(items))
    if set(by_index) != set(wanted):
        raise Malformed("the provider's vectors do not tell which input they belong to")
    return [by_index[index] for index in wanted], list(by_index) == list(wanted)


def _usage_in(report: object) -> Usage | None:
    """What the input counted; some servers tell the total alone, which for embeddings is the same."""
    if not isinstance(report, dict):
        return None
    counts = (read_count(report.get(name)) for name in ("prompt_tokens", "total_tokens"))
    tokens = next((count for count in counts if count is not None), None)
    return None if tokens is None else Usage(input_tokens=tokens)


def _failure(body: bytes) -> UpstreamError:
    """What a body without vectors says: some servers send their errors with status 200."""
    if len(body) <= _MAX_ERROR_BYTES:
        try:
            fault = errors.fault_in(lenient.loads(body))
        except lenient.Undecodable:
            fault = None
        if fault is not None:
            return fault.failure()
    return Malformed("the provider's answer is not a list of embeddings")
