"""A stream of this dialect passed through: bytes kept, the model renamed, usage withheld unless asked for.

Each frame is taken apart at its top level only, so order, numbers and unknown fields stay as the provider sent
them. Repaired is what would break clients of the strict SDKs, and only that:

- usage on any other chunk than the last: it is held, and sent once as a last chunk of its own;
- finish words sent twice, along with content, or before an error: each is held to the end of the stream, and
  sent once in a chunk of its own with an empty delta;
- annotations in more than one chunk: they are held, and sent together before the finish;
- the role sent again and again, or not at all;
- chunks without `choices`, comments, event names, line separators inside strings.

Not repaired are tool calls without an index, arguments that are objects and content that is a list: a provider
that does such things is better translated than passed through.
"""

import msgspec

from relay.adapters.dialects import splice
from relay.adapters.dialects.base import Scene, Tapped
from relay.adapters.dialects.framing import sse_frame
from relay.adapters.dialects.lenient import escape_separators
from relay.adapters.dialects.openai_chat import wire
from relay.adapters.dialects.openai_chat.chunks import members_of
from relay.adapters.dialects.openai_chat.reading import choice_index
from relay.adapters.dialects.openai_chat.stream import Decoder
from relay.adapters.dialects.openai_chat.writing import Encoder
from relay.adapters.dialects.sse_answers import DONE

_raws = msgspec.json.Decoder(list[msgspec.Raw])
_EMPTY_LIST = msgspec.Raw(b"[]")
_EMPTY_OBJECT = msgspec.Raw(b"{}")

type Members = dict[str, msgspec.Raw]
type Choices = list[tuple[int, wire.Choice]]
"""The choices of a chunk, each with its number."""


class Tap:
    """Bytes in; events for metering and bytes to pass on out. A failure is not passed on: it is told."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._model = splice.raw(scene.model)
        self._member = b'"model":' + self._model
        self._named: str | None = None
        self._named_member = b""
        self._decoder = Decoder(on_chunk=self._pass)
        self._ready: list[bytes] = []
        self._finishes: list[bytes] = []
        self._annotations: dict[int, tuple[Members, list[msgspec.Raw]]] = {}
        self._usage = b""
        self._opened: set[int] = set()
        self._finished: set[int] = set()
        self._is_closed = False

    def feed(self, data: bytes) -> Tapped:
        """What the bytes mean and what to pass on of them."""
        events = self._decoder.feed(data)
        raw = b"".join(self._ready)
        self._ready.clear()
        return Tapped(events=events, raw=raw)

    def close(self) -> Tapped:
        """The held finish, the usage if it was asked for, and `[DONE]`; nothing of these after a failure."""
        events = self._decoder.close()
        ready = b"".join(self._ready)
        self._ready.clear()
        if self._is_closed or not self._decoder.is_complete:
            return Tapped(events=events, raw=ready)
        self._is_closed = True
        if self._decoder.answered_whole:
            encoder = Encoder(self._scene)
            return Tapped(events=events, raw=b"".join(map(encoder.send, events)) + encoder.close())
        cited = [_frame(_citing(*held, index)) for index, held in sorted(self._annotations.items())]
        end = b"".join((ready, *cited, *self._finishes, self._usage, sse_frame(DONE)))
        return Tapped(events=events, raw=end)

    def _pass(self, chunk: wire.Chunk, data: bytes) -> None:
        if chunk.choices is None and chunk.usage is None:
            return
        if self._is_mere_text(chunk) and (renamed := self._renamed(chunk.model, data)) is not None:
            self._ready.append(sse_frame(renamed))
            return
        members = members_of(data)
        members["model"] = self._model
        had_usage = self._take_usage(members)
        if chunk.choices:
            numbered = [(choice_index(choice, place), choice) for place, choice in enumerate(chunk.choices)]
            self._pass_choices(numbered, members)
        elif chunk.choices is not None and not had_usage:
            self._ready.append(_frame(members))

    def _is_mere_text(self, chunk: wire.Chunk) -> bool:
        """Whether there is nothing to hold and to repair: one opened choice that goes on."""
        if chunk.usage is not None or chunk.choices is None or len(chunk.choices) != 1:
            return False
        [choice] = chunk.choices
        delta = choice.delta
        return (
            delta is not None
            and not (choice.finish_reason or delta.role or delta.annotations)
            and choice_index(choice, 0) in self._opened
        )

    def _renamed(self, model: str | None, data: bytes) -> bytes | None:
        """The chunk with its model's name replaced where it stands; `None` where that takes a closer look.

        Inside of a JSON text no quotation mark is without a backslash, so a name found once is the member's.
        """
        if model != self._named:
            self._named = model
            self._named_member = b'"model":' + splice.raw(model)
        if (
            data.count(b'"model"') != 1
            or self._named_member not in data
            or b'"usage"' in data
            or b"\n" in data
        ):
            return None
        return escape_separators(data.replace(self._named_member, self._member))

    def _take_usage(self, members: Members) -> bool:
        """Take the usage out of a chunk, and keep it for the end if it was asked for."""
        had_usage = members.get("usage", wire.NULL) != wire.NULL
        if not self._scene.include_usage:
            members.pop("usage", None)
        elif had_usage:
            self._usage = _frame({**members, "choices": _EMPTY_LIST})
            members["usage"] = wire.NULL
        return had_usage

    def _pass_choices(self, choices: Choices, members: Members) -> None:
        finishes = speaks = has_wrong_role = cites = False
        for index, choice in choices:
            cites = cites or (choice.delta is not None and bool(choice.delta.annotations))
            finishes = finishes or bool(choice.finish_reason)
            speaks = speaks or index not in self._opened or _says(choice)
            has_role = choice.delta is not None and bool(choice.delta.role)
            has_wrong_role = has_wrong_role or has_role == (index in self._opened)
        if cites:
            members["choices"] = self._uncited(choices, members)
        if finishes:
            self._hold_finishes(choices, members)
        if (finishes or cites) and not speaks:
            return
        if finishes or has_wrong_role:
            members["choices"] = self._repaired(choices, members["choices"])
        for index, _ in choices:
            self._opened.add(index)
        self._ready.append(_frame(members))

    def _hold_finishes(self, choices: Choices, members: Members) -> None:
        for (index, choice), part in zip(choices, _parts(members["choices"]), strict=True):
            if choice.finish_reason and index not in self._finished:
                self._finished.add(index)
                part["delta"] = _EMPTY_OBJECT
                if "logprobs" in part:
                    part["logprobs"] = wire.NULL
                self._finishes.append(_frame({**members, "choices": splice.raw([part])}))

    def _uncited(self, choices: Choices, members: Members) -> msgspec.Raw:
        """The choices without their annotations, which are held."""
        parts = _parts(members["choices"])
        for (index, choice), part in zip(choices, parts, strict=True):
            if choice.delta is not None and choice.delta.annotations:
                delta = splice.top_level(bytes(part["delta"]))
                _, held = self._annotations.setdefault(index, (members.copy(), []))
                held += _raws.decode(delta.pop("annotations"))
                part["delta"] = msgspec.Raw(splice.assemble(delta))
        return splice.raw(parts)

    def _repaired(self, choices: Choices, value: msgspec.Raw) -> msgspec.Raw:
        """The choices with the role on the first chunk alone, and without finish words."""
        parts = _parts(value)
        for (index, choice), part in zip(choices, parts, strict=True):
            if choice.delta is not None:
                delta = splice.top_level(bytes(part["delta"]))
                delta.pop("role", None)
                if index not in self._opened:
                    delta = {"role": splice.raw("assistant"), **delta}
                part["delta"] = msgspec.Raw(splice.assemble(delta))
            if choice.finish_reason:
                part["finish_reason"] = wire.NULL
        return splice.raw(parts)


def _parts(value: msgspec.Raw) -> list[Members]:
    """The choices that are objects: the others were taken as not sent when the chunk was read."""
    return [splice.top_level(text) for raw in _raws.decode(value) if (text := bytes(raw)).startswith(b"{")]


def _citing(members: Members, annotations: list[msgspec.Raw], index: int) -> Members:
    """The one chunk of a choice that tells what it cites."""
    delta = {"annotations": annotations}
    choice = {"index": index, "delta": delta, "finish_reason": None, "logprobs": None}
    return {**members, "choices": splice.raw([choice])}


def _says(choice: wire.Choice) -> bool:
    delta = choice.delta
    return choice.logprobs is not None or (
        delta is not None
        and bool(
            delta.content or delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls
        )
    )


def _frame(members: Members) -> bytes:
    """Provider JSON may span lines; outside of strings a line end is white space, inside there is none."""
    payload = splice.assemble(members)
    if b"\n" in payload:
        payload = payload.replace(b"\n", b" ")
    return sse_frame(payload)
