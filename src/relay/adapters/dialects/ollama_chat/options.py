"""The settings of a call in Ollama's spelling: `options`, `think`, `format` and `keep_alive`, both ways."""

import re
from collections.abc import Mapping
from typing import Literal, assert_never

import msgspec
from msgspec import Raw

from relay.adapters.dialects import lenient
from relay.adapters.dialects.ollama_chat.reading import Members, given
from relay.domain.chat import Effort, JsonObject, JsonSchema, Output, Reasoning, Sampling
from relay.domain.errors import InvalidRequest, Unsupported

type Think = bool | Literal["low", "medium", "high", "max"]

MAX_TOP_LOGPROBS = 20

_INTEGERS = frozenset(
    {
        "num_keep",
        "seed",
        "num_predict",
        "top_k",
        "repeat_last_n",
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "num_thread",
        "draft_num_predict",
    }
)
_FLOATS = frozenset(
    {"temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty"}
)
_BOOLEANS = frozenset({"use_mmap"})
_SAMPLING = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "seed",
        "stop",
        "presence_penalty",
        "frequency_penalty",
        "repeat_penalty",
        "num_predict",
    }
)

_THINK: Mapping[Effort, Think] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}
_REASONING: Mapping[bool | str, Reasoning] = {
    True: Reasoning(),
    False: Reasoning(effort="none"),
    "low": Reasoning(effort="low"),
    "medium": Reasoning(effort="medium"),
    "high": Reasoning(effort="high"),
    "max": Reasoning(effort="max"),
}
_BUDGETS: tuple[tuple[int, Effort], ...] = ((0, "none"), (3071, "low"), (8191, "medium"), (16384, "high"))
"""The largest thinking budget, in tokens, that still counts as this effort; more is `max`."""

_UNIT_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # U+00B5
    "μs": 1e-6,  # U+03BC
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_DURATION_TERM = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)", re.ASCII)

_decode = msgspec.json.Decoder().decode
_encoder = msgspec.json.Encoder()


def read_options(
    options: Members, *, logprobs: bool | None, top_logprobs: int | None
) -> tuple[Sampling, Members]:
    """The neutral sampling settings, and the options that have no neutral name. Raises `InvalidRequest`.

    Of the keys Ollama knows the types are checked as its server does; a fraction is cut off an integer.
    A `num_predict` that is not positive means no limit and has no neutral form either.
    """
    if top_logprobs is not None and not 0 <= top_logprobs <= MAX_TOP_LOGPROBS:
        raise InvalidRequest("top_logprobs must be between 0 and 20", param="top_logprobs")
    present = {key: _value(text) for key, raw in options.items() if (text := given(raw))}
    integers = {key: _integer(key, value) for key, value in present.items() if key in _INTEGERS}
    floats = {key: _float(key, value) for key, value in present.items() if key in _FLOATS}
    for key in _BOOLEANS & present.keys():
        if not isinstance(present[key], bool):
            raise _wrong_type(key, "boolean")
    limit = integers.get("num_predict", 0)
    sampling = Sampling(
        temperature=floats.get("temperature"),
        top_p=floats.get("top_p"),
        top_k=integers.get("top_k"),
        min_p=floats.get("min_p"),
        seed=integers.get("seed"),
        stop=_stop(present.get("stop")),
        presence_penalty=floats.get("presence_penalty"),
        frequency_penalty=floats.get("frequency_penalty"),
        repeat_penalty=floats.get("repeat_penalty"),
        max_output_tokens=limit if limit > 0 else None,
        logprobs=logprobs,
        top_logprobs=top_logprobs,
    )
    mapped = _SAMPLING if limit > 0 else _SAMPLING - {"num_predict"}
    return sampling, {key: options[key] for key in present if key not in mapped}


def write_options(sampling: Sampling) -> dict[str, Raw]:
    """The options that say what the sampling settings say; those not set are left out."""
    limit = sampling.max_output_tokens
    values = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "seed": sampling.seed,
        "stop": sampling.stop or None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repeat_penalty": sampling.repeat_penalty,
        "num_predict": limit if limit is not None and limit > 0 else None,
    }
    return {key: Raw(_encoder.encode(value)) for key, value in values.items() if value is not None}


def read_think(value: Raw) -> Reasoning | None:
    """Absent says nothing, true says on; a level is an effort. Raises `InvalidRequest`."""
    text = given(value)
    if not text:
        return None
    think = _value(text)
    if isinstance(think, bool | str) and think in _REASONING:
        return _REASONING[think]
    raise InvalidRequest(
        f'invalid think value: {_shown(text)} (must be "high", "medium", "low", "max", true, or false)',
        param="think",
    )


def write_think(reasoning: Reasoning) -> Think:
    """The nearest of Ollama's levels; an effort counts before a budget."""
    if reasoning.effort is not None:
        return _THINK[reasoning.effort]
    if reasoning.budget_tokens is None:
        return True
    for most, effort in _BUDGETS:
        if reasoning.budget_tokens <= most:
            return _THINK[effort]
    return "max"


def nearest(reasoning: Reasoning) -> Reasoning:
    """What is left of `reasoning` when it was said in Ollama's levels."""
    return _REASONING[write_think(reasoning)]


def read_format(value: Raw) -> Output | None:
    """Absent and empty mean free text. Raises `InvalidRequest`."""
    text = given(value)
    if text in (b"", b'""'):
        return None
    if text == b'"json"':
        return JsonObject()
    if text.startswith(b"{"):
        return JsonSchema(schema=json_text(value))
    raise InvalidRequest(
        f'invalid format: {_shown(text)}; expected "json" or a valid JSON Schema object', param="format"
    )


def write_format(output: Output) -> Raw:
    """Raises `Unsupported` for a schema that is not an object."""
    match output:
        case JsonObject():
            return Raw(b'"json"')
        case JsonSchema(schema=schema):
            if not schema.lstrip().startswith("{"):
                raise Unsupported(
                    "only a JSON Schema that is an object can be asked for", param="response_format"
                )
            return Raw(schema.encode())
        case _:
            assert_never(output)


def keep_alive_s(value: Raw) -> float | None:
    """How long to keep the model, in seconds, negative for ever; `None` when not said. Raises `InvalidRequest`.

    A number is seconds, a string a duration in Go's form (`time.ParseDuration`).
    """
    text = given(value)
    if not text:
        return None
    said = _value(text)
    if isinstance(said, str):
        return _duration_s(said)
    if (seconds := _number(said)) is not None:
        return seconds
    raise InvalidRequest(
        'keep_alive must be a number of seconds or a duration such as "5m"', param="keep_alive"
    )


def json_text(value: Raw) -> str:
    """A value that only passes through, as text. Raises `InvalidRequest`."""
    try:
        return lenient.escape_separators(bytes(value)).decode()
    except UnicodeDecodeError:
        raise InvalidRequest("invalid UTF-8 in the request body") from None


def _value(text: bytes) -> object:
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(str(error)) from None


def _shown(text: bytes) -> str:
    return text.decode(errors="replace")[:40]


def _number(value: object) -> float | None:
    """`value` when it is a number that a float can hold; to Python a boolean is one too, to JSON it is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _integer(key: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _number(value)
    if number is None:
        raise _wrong_type(key, "integer")
    return int(number)


def _float(key: str, value: object) -> float:
    number = _number(value)
    if number is None:
        raise _wrong_type(key, "float32")
    return number


def _stop(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise _wrong_type("stop", "array")
    if not all(isinstance(word, str) for word in value):
        raise InvalidRequest('option "stop" must be of an array of strings', param="options.stop")
    return tuple(value)


def _wrong_type(key: str, kind: str) -> InvalidRequest:
    return InvalidRequest(f'option "{key}" must be of type {kind}', param=f"options.{key}")


def _duration_s(text: str) -> float:
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return 0.0
    seconds, position = 0.0, 0
    while position < len(unsigned):
        term = _DURATION_TERM.match(unsigned, position)
        if term is None:
            raise _bad_duration("invalid duration", text)
        number, unit = term.groups()
        if not unit:
            raise _bad_duration("missing unit in duration", text)
        if unit not in _UNIT_SECONDS:
            raise _bad_duration(f'unknown unit "{unit[:20]}" in duration', text)
        seconds += float(number) * _UNIT_SECONDS[unit]
        position = term.end()
    if not position:
        raise _bad_duration("invalid duration", text)
    return -seconds if text.startswith("-") else seconds


def _bad_duration(reason: str, text: str) -> InvalidRequest:
    return InvalidRequest(f'time: {reason} "{text[:40]}"', param="keep_alive")
