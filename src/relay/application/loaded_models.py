"""Which models count as loaded: those lately used, until the time their caller asked for them to be kept.

Theory of operation. Clients of Ollama load a model, keep it, unload it, and look at what is loaded. The relay
holds no weights, and what a provider holds is the provider's business, which most do not tell; so a model is
loaded when a call to it has begun to answer, and for its `keep_alive` after that call. Each caller sees its own:
names tell what somebody works on. The table is this process's memory and no more: after a restart nothing is
loaded, as with Ollama itself.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from relay.application.calls import Caller
from relay.application.list_models import ListModels, ModelCard
from relay.application.plan_call import read_name
from relay.application.ports import Clock
from relay.domain.errors import UnknownModel
from relay.domain.names import normalise

DEFAULT_KEEP_S = 300.0
"""Ollama's default, `OLLAMA_KEEP_ALIVE`."""

FOREVER_S = 2**63 / 1e9
"""The longest duration Ollama knows, some 292 years: what it takes a negative one for."""

MAX_KEPT = 1000
"""Beyond it, the one that would expire first is forgotten."""


class Answering(Protocol):
    """An answer on its way to the caller."""

    @property
    def begun(self) -> bool:
        """True once its head has left."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model and until when it is loaded, in unix milliseconds."""

    card: ModelCard
    expires_ms: int


class _Kept(NamedTuple):
    """Who uses a model by which normalised name."""

    key_id: str
    name: str


class _Use:
    """A call that is running while this is entered."""

    __slots__ = ("_of", "answer", "keep_s", "kept")

    def __init__(self, of: "LoadedModels", kept: _Kept, keep_s: float, answer: Answering) -> None:
        self.kept = kept
        self.keep_s = keep_s
        self.answer = answer
        self._of = of

    def __enter__(self) -> None:
        self._of.begin(self)

    def __exit__(self, *_: object) -> None:
        self._of.end(self)


@dataclass(slots=True, kw_only=True)
class LoadedModels:
    """The table; bounded, and never more than a hint."""

    list_models: ListModels
    clock: Clock
    max_kept: int = MAX_KEPT
    _expires_ms: dict[_Kept, int] = field(init=False, default_factory=dict)
    _running: set[_Use] = field(init=False, default_factory=set)

    def using(
        self, name: str, caller: Caller, keep_s: float | None, answer: Answering
    ) -> AbstractContextManager[None]:
        """While this lasts, `answer` is made by the model `name`; with its first byte the model is loaded.

        `keep_s` is how long to keep it afterwards, in seconds: negative means for ever, `None` the default, and
        exactly 0 not at all, from now on.
        """
        return _Use(self, self._kept(name, caller), _seconds(keep_s), answer)

    def begin(self, use: _Use) -> None:
        """A use begins."""
        if use.keep_s == 0:
            self._expires_ms.pop(use.kept, None)
        self._running.add(use)

    def end(self, use: _Use) -> None:
        """A use is over; the model is kept if it ever answered."""
        self._running.discard(use)
        if use.answer.begun:
            self._keep(use)

    def __call__(self, caller: Caller) -> tuple[LoadedModel, ...]:
        """What the caller has loaded and may still use, the longest kept first."""
        now_ms = self.clock.unix_ms()
        key_id = _key_id(caller)
        until = {kept.name: ms for kept, ms in self._expires_ms.items() if kept.key_id == key_id}
        for use in self._running:
            if use.kept.key_id == key_id and use.answer.begun:
                until[use.kept.name] = max(until.get(use.kept.name, 0), _after(now_ms, use.keep_s))
        loaded = (
            LoadedModel(card=card, expires_ms=ms)
            for name, ms in until.items()
            if ms > now_ms and (card := self._card(name, caller)) is not None
        )
        return tuple(sorted(loaded, key=lambda model: -model.expires_ms))

    def _keep(self, use: _Use) -> None:
        now_ms = self.clock.unix_ms()
        self._expires_ms.pop(use.kept, None)
        if use.keep_s == 0:
            return
        if len(self._expires_ms) >= self.max_kept:
            self._expires_ms = {kept: ms for kept, ms in self._expires_ms.items() if ms > now_ms}
        if len(self._expires_ms) >= self.max_kept:
            del self._expires_ms[min(self._expires_ms, key=self._expires_ms.__getitem__)]
        self._expires_ms[use.kept] = _after(now_ms, use.keep_s)

    def _kept(self, name: str, caller: Caller) -> _Kept:
        """The name without its tags, so that a model is the same whoever it is charged to."""
        if "@" in name:
            name, _, _ = read_name(name, self.list_models.catalog.current())
        return _Kept(_key_id(caller), normalise(name))

    def _card(self, name: str, caller: Caller) -> ModelCard | None:
        """Its card of today: what has left the catalog, or the key's reach, is not loaded any more."""
        try:
            return self.list_models.find(name, caller)
        except UnknownModel:
            return None


def _key_id(caller: Caller) -> str:
    return caller.key.public_id if caller.key else ""


def _seconds(keep_s: float | None) -> float:
    if keep_s is None:
        return DEFAULT_KEEP_S
    return FOREVER_S if keep_s < 0 else min(keep_s, FOREVER_S)


def _after(now_ms: int, keep_s: float) -> int:
    return now_ms + int(keep_s * 1000)
