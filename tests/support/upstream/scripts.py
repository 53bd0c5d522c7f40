"""Reads a model name as a script: which behaviour it asks for, and with which parameters.

`basic?chunks=8&delay_ms=5` is the well-behaved script `basic` with two parameters.
`fault/cut?after_chunks=2&of=tools` is the fault `cut` done to the answer of the script `tools`; `of` is `basic`
unless named. A fault also takes the parameters of the script it is done to. `fault/503` stands for any status from
400 to 599.
A name, parameter or value that is unknown is refused, so that a mistyped test fails instead of passing by luck.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

type Value = int | float | str

COMMON: Mapping[str, Value] = {
    "chunks": 4,
    "delay_ms": 0,
    "first_ms": 0,
    "input_tokens": 0,
    "cached_tokens": 0,
}
"""Of every script: text chunks, pause before each and before the head, and two counts to report instead."""

SCRIPTS: Mapping[str, Mapping[str, Value]] = {
    # Numbered tokens: "000 001 002 003 ".
    "basic": {},
    # The last user text, in tokens of 4 characters.
    "echo": {},
    # Calls of the declared tools in turn; numbered tokens when none is declared or a tool result came last.
    # `finish=stop` denies them in the finish reason. `parts` is how an OpenAI stream sends a call: its arguments in
    # pieces after its name, `at_once` with it, in pieces and each call with the index 0 (`same_index`), or none
    # at all (`bare`).
    "tools": {"calls": 1, "finish": "tool_calls", "parts": "pieces"},
    # A call of whichever declared tool runs commands, with `echo relay-$((6*7))`; then what the tool said.
    "shell": {},
    # Reasoning tokens, then numbered ones; `field` is the name of the reasoning in the OpenAI format.
    "think": {"thoughts": 3, "field": "reasoning_content"},
    # Media type, size and SHA-256 of each image received, one a line.
    "image": {},
    # JSON that fits the schema asked for.
    "schema": {},
    # Numbered tokens with log probabilities, asked for or not.
    "logprobs": {},
    # Numbered tokens, each of the first `sources` resting on a source of its own. OpenAI's wire tells them as
    # annotations, each in a chunk of its own, or as the list of addresses that every chunk repeats; Ollama's has no
    # place for them.
    "cited": {"sources": 2, "form": "annotations"},
    # What stood before and behind the gap: "[before|behind]".
    "fill": {},
    # As many numbered tokens as the request allows, or else `chunks`, and the finish reason length.
    "length": {},
    # No content at all, and a good finish.
    "empty": {},
    # Text with every kind of line separator raw, and characters of several bytes.
    "unicode": {},
    # No chat but embeddings; any other script makes them, too, with these defaults: vectors of that size and
    # length; `dimensions` asked for are honoured, ignored or refused; `form` is as asked, or else float or base64;
    # OpenAI's are in reverse order if shuffled. For `flaw` see embeddings.py.
    "embed": {
        "dims": 8,
        "length": 1.0,
        "dimensions": "honoured",
        "form": "asked",
        "shuffled": 0,
        "flaw": "",
    },
}

EVERY_FAULT: Mapping[str, Value] = {"of": "basic", "times": 0, "p": 1.0, "seed": 0}
"""`times=n`: only the first n calls of this very model name fail. `p`: each call fails with this probability."""

STATUS: Mapping[str, Value] = {"retry_after": "", "retry_after_ms": "", "code": "", "message": ""}
"""Of `fault/400` to `fault/599`: the two headers, sent as given unless empty, and what the error body says."""

# Where a fault counts chunks, a whole answer counts as one chunk, its first half, and the rest. With
# `after_chunks=0` a stream has not even its opening chunk (the role, in the OpenAI format) unless `opening=1`.
FAULTS: Mapping[str, Mapping[str, Value]] = {
    # Accepts and never answers.
    "silent": {},
    # Stops, for ever or for that long, and then goes on to a good end.
    "stall": {"after_chunks": 3, "for_ms": 0, "opening": 0},
    # As stall, while sending comments or blank lines.
    "pings": {"after_chunks": 0, "every_ms": 100, "for_ms": 0, "opening": 0},
    # Closes the connection without a finish.
    "cut": {"after_chunks": 3, "opening": 0},
    # Breaks the connection off with a RST after that many bytes of the response, head included.
    "reset": {"after_bytes": 0},
    # An error inside a 200.
    "error_event": {
        "after_chunks": 0,
        "opening": 0,
        "code": "server_error",
        "message": "the model fell over",
    },
    # A 200 with a page of HTML.
    "html": {},
    # A good end of the body in the middle of a JSON value.
    "truncated_json": {"after_chunks": 1, "opening": 1},
    # Writes of n bytes each, head included.
    "split": {"n": 1},
    # No counts, though asked for.
    "nousage": {},
    # Counts that are no counts: negative, string, words, float, huge or null.
    "badusage": {"kind": "negative"},
    # The usage chunk of an OpenAI stream twice.
    "usage_twice": {},
    # One token of that many MiB in one line.
    "longline": {"mb": 9},
    # The same, compressed a thousandfold.
    "gzipbomb": {"mb": 64},
    # All content, and a good end of the body, but no finish.
    "nofinish": {},
    # An OpenAI stream with chunks in it whose choices are null, missing or none.
    "odd_chunks": {},
    # An OpenAI stream without [DONE], or with two.
    "no_done": {},
    "two_done": {},
    # A head that takes that long to arrive.
    "slow_head": {"ms": 500},
    # A head of that many kilobytes.
    "big_head": {"kb": 90},
    # A 103 before the answer.
    "early_hints": {},
    # A redirect; to a place on this server that would answer, unless told where.
    "redirect": {"status": 307, "to": ""},
    # A good answer that promises to keep the connection, and a close that long after it.
    "keepalive_close": {"after_ms": 0},
}

CAPABILITIES: Mapping[str, tuple[str, ...]] = {
    "tools": ("completion", "tools"),
    "shell": ("completion", "tools"),
    "think": ("completion", "thinking"),
    "image": ("completion", "vision"),
    "fill": ("completion", "insert"),
    "embed": ("embedding",),
}
"""What a script's model card claims; the others claim completion alone."""

DEFAULT_MODELS: tuple[str, ...] = tuple(name for name in SCRIPTS if name != "embed")
"""What is listed: everything that can chat."""


class UnknownScript(ValueError):
    """The model name is not a script."""


@dataclass(frozen=True)
class Script:
    """A model name, understood."""

    name: str
    fault: str
    status: int
    params: Mapping[str, Value]

    def number(self, param: str) -> int:
        return int(self.params[param])

    def seconds(self, param: str) -> float:
        """The value of a parameter whose unit is milliseconds."""
        return float(self.params[param]) / 1000

    def text(self, param: str) -> str:
        return str(self.params[param])

    @property
    def capabilities(self) -> tuple[str, ...]:
        return CAPABILITIES.get(self.name, ("completion",))


def without_tag(model: str) -> str:
    """Ollama clients write `:latest` behind a name that has no tag; it means nothing."""
    return model.removesuffix(":latest")


def parse(model: str) -> Script:
    """Understand a model name, or raise UnknownScript."""
    base, _, query = without_tag(model).partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    kind = without_tag(base)
    fault = kind.removeprefix("fault/") if kind.startswith("fault/") else ""
    name = given.get("of", "basic") if fault else kind
    if name not in SCRIPTS:
        raise UnknownScript(f"model '{model}' not found")
    status = int(fault) if fault.isdecimal() and 400 <= int(fault) <= 599 else 0
    if fault and not status and fault not in FAULTS:
        raise UnknownScript(f"model '{model}' not found")
    own = STATUS if status else FAULTS.get(fault, {})
    known = {**COMMON, **SCRIPTS[name], **(EVERY_FAULT if fault else {}), **own}
    return Script(name, fault, status, {**known, **_converted(model, given, known)})


def _converted(model: str, given: Mapping[str, str], known: Mapping[str, Value]) -> dict[str, Value]:
    converted: dict[str, Value] = {}
    for param, text in given.items():
        if param not in known:
            raise UnknownScript(f"model '{model}' not found: it has no parameter '{param}'")
        try:
            converted[param] = type(known[param])(text)
        except ValueError:
            raise UnknownScript(f"model '{model}' not found: '{text}' is no value of '{param}'") from None
    return converted
