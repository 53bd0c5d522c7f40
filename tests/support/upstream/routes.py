"""Which request gets which answer: model lists and cards, and chat calls by their model's name."""

import json
from collections import Counter
from hashlib import sha256
from threading import Lock
from typing import Any, Literal

from tests.support.upstream import (
    anthropic_wire,
    embeddings,
    faults,
    generate,
    management,
    ollama_wire,
    responses_wire,
)
from tests.support.upstream.answers import Answer, answer_to
from tests.support.upstream.anthropic_wire import AnthropicWire
from tests.support.upstream.chat import BadRequest, Chat
from tests.support.upstream.embeddings import Asked, EmbeddingWire
from tests.support.upstream.exchange import Exchange, respond
from tests.support.upstream.generate import GenerateWire
from tests.support.upstream.http1 import Peer, Request
from tests.support.upstream.ledger import Call, Ledger
from tests.support.upstream.ollama_wire import OllamaWire
from tests.support.upstream.openai_wire import CREATED, OpenAIWire
from tests.support.upstream.responses_wire import ResponsesWire
from tests.support.upstream.scripts import Script, UnknownScript, parse, without_tag
from tests.support.upstream.wire import Reply, Usage, Wire, encoded

type Listing = Literal["ok", "hang", "fail"]

TEXT = "text/plain; charset=utf-8"

OPENAI: Wire = OpenAIWire()
OLLAMA: Wire = OllamaWire()
GENERATE: Wire = GenerateWire()
ANTHROPIC: Wire = AnthropicWire()
RESPONSES: Wire = ResponsesWire()


class Routes:
    """Answers requests; remembers only how often each model name was called."""

    def __init__(self, models: tuple[str, ...], listing: Listing, hold_s: float) -> None:
        self.listing: Listing = listing
        self._managed = management.ManagedModels(models, hold_s)
        self._hold_s = hold_s
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def forget(self) -> None:
        with self._lock:
            self._counts.clear()

    async def answer(self, peer: Peer, request: Request, call: Call, ledger: Ledger) -> None:
        """Answer one request and complete its record."""
        wire = _wire_of(request)
        if request.method == "POST" or request.path.endswith("/api/delete"):
            await self._answer_post(peer, request, call, ledger, wire)
            return
        ledger.write(call)
        if request.path.endswith(("/models", "/api/tags")):
            await self._list(peer, call, wire)
        elif request.path.endswith("/api/version"):
            await respond(peer, call, 200, encoded({"version": ollama_wire.VERSION}))
        elif request.path == "/":
            await respond(peer, call, 200, b"Ollama is running", content_type=TEXT)
        else:
            await respond(peer, call, 404, b"404 page not found", content_type=TEXT)
        call.completed = call.status == 200

    async def _answer_post(
        self, peer: Peer, request: Request, call: Call, ledger: Ledger, wire: Wire
    ) -> None:
        try:
            call.body = _object(request.body)
            if wire is OLLAMA:
                call.body = _in_lower_case(call.body)
            call.model = str(call.body.get("model") or call.body.get("name") or "")
            ledger.write(call)
            if request.method == "DELETE" or request.path.endswith(management.PATHS):
                await self._managed.answer(peer, call, request.path, call.body)
                return
            await self._answer_model_call(peer, request, call, wire, call.body)
        except UnknownScript as error:
            await respond(peer, call, 404, wire.error(404, str(error), "model_not_found"))
        except BadRequest as error:
            await respond(peer, call, 400, wire.error(400, str(error), "invalid_value"))

    async def _answer_model_call(
        self, peer: Peer, request: Request, call: Call, wire: Wire, body: dict[str, Any]
    ) -> None:
        script = parse(call.model)
        if request.path.endswith(anthropic_wire.COUNT_PATH):
            tokens = wire.chat({"max_tokens": 0, **body}).prompt_tokens
            await respond(peer, call, 200, encoded({"input_tokens": tokens}))
            call.completed = True
        elif request.path.endswith(
            ("/chat/completions", "/api/chat", anthropic_wire.PATH, responses_wire.PATH)
        ):
            if script.name == "embed":
                raise BadRequest(f'"{call.model}" does not support chat')
            await self._chat(peer, call, script, wire, wire.chat(body))
        elif request.path.endswith(generate.PATH):
            generate.check(body, script)
            await self._chat(peer, call, script, GENERATE, GENERATE.chat(body))
        elif request.path.endswith(embeddings.PATHS):
            await self._embed(peer, call, script, wire, embeddings.asked(request.path, body))
        elif request.path.endswith("/api/show"):
            await respond(peer, call, 200, ollama_wire.card(call.model, script))
            call.completed = True
        else:
            await respond(peer, call, 404, b"404 page not found", content_type=TEXT)

    async def _list(self, peer: Peer, call: Call, wire: Wire) -> None:
        if self.listing == "hang":
            await peer.pause(self._hold_s)
        if self.listing != "ok":
            await respond(peer, call, 500, wire.error(500, "the listing is switched off", ""))
            return
        if wire is ANTHROPIC:
            await respond(peer, call, 200, anthropic_wire.listed(self._managed.names))
            return
        listed = [
            {"id": model, "object": "model", "created": CREATED, "owned_by": "scripted"}
            for model in self._managed.names
        ]
        body = (
            ollama_wire.tags(self._managed.names)
            if wire is OLLAMA
            else encoded({"object": "list", "data": listed})
        )
        await respond(peer, call, 200, body)

    async def _chat(self, peer: Peer, call: Call, script: Script, wire: Wire, chat: Chat) -> None:
        faulty = self._is_faulty(script, without_tag(chat.model))
        reply, usage = _reply(script, chat, call.seq, faulty=faulty)
        call.stream = chat.stream
        await self._answer_model(
            Exchange(peer, call, script, wire, reply, self._hold_s), usage, faulty=faulty
        )

    async def _embed(self, peer: Peer, call: Call, script: Script, base: Wire, asked: Asked) -> None:
        faulty = self._is_faulty(script, without_tag(asked.model))
        usage = _usage(script, asked.prompt_tokens, Answer(()), faulty=faulty)
        shown = None if faulty and script.fault == "nousage" else usage
        reply = Reply(call.seq, asked.chat, Answer(()), shown)
        wire = EmbeddingWire(base, script, asked)
        await self._answer_model(
            Exchange(peer, call, script, wire, reply, self._hold_s), usage, faulty=faulty
        )

    async def _answer_model(self, exchange: Exchange, usage: Usage, *, faulty: bool) -> None:
        call, script = exchange.call, exchange.script
        call.script = script.name
        if not faulty:
            call.tokens_in = usage.input
            await exchange.answer()
            return
        call.error = f"fault/{script.fault}"
        if script.status:
            await faults.status(exchange)
            return
        if script.fault not in faults.NEVER_BILLED:
            call.tokens_in = usage.input
        await faults.FAULTS[script.fault](exchange)

    def _is_faulty(self, script: Script, model: str) -> bool:
        if not script.fault:
            return False
        with self._lock:
            self._counts[model] += 1
            number = self._counts[model]
        times, chance = script.number("times"), float(script.params["p"])
        draw = sha256(f"{script.text('seed')}:{number}".encode()).digest()[:4]
        return (not times or number <= times) and int.from_bytes(draw) < chance * 2**32


def _reply(script: Script, chat: Chat, seq: int, *, faulty: bool) -> tuple[Reply, Usage]:
    """The reply to encode, and the true counts behind it."""
    fault = script.fault if faulty else ""
    answer = answer_to(script, chat, seq)
    usage = _usage(script, chat.prompt_tokens, answer, faulty=faulty)
    shown = None if fault == "nousage" else usage
    return Reply(seq, chat, answer, shown, fault != "nofinish", _thought_field(script)), usage


def _usage(script: Script, prompt_tokens: int, answer: Answer, *, faulty: bool) -> Usage:
    return Usage(
        input=script.number("input_tokens") or prompt_tokens,
        output=answer.tokens,
        cached=script.number("cached_tokens"),
        thoughts=answer.thought_tokens,
        misstated=script.text("kind") if faulty and script.fault == "badusage" else "",
    )


def _wire_of(request: Request) -> Wire:
    """The wire that a request is in; Anthropic's clients all say their version."""
    if "anthropic-version" in request.headers:
        return ANTHROPIC
    if request.path.endswith(responses_wire.PATH):
        return RESPONSES
    return OLLAMA if "/api/" in request.path else OPENAI


def _thought_field(script: Script) -> str:
    return script.text("field") if script.name == "think" else "reasoning_content"


def _in_lower_case(body: dict[str, Any]) -> dict[str, Any]:
    """Keys fit in any case, as Go's decoder has it: those of the body and of its messages."""
    folded = {key.lower(): value for key, value in body.items()}
    if isinstance(messages := folded.get("messages"), list):
        folded["messages"] = [
            {key.lower(): value for key, value in message.items()} if isinstance(message, dict) else message
            for message in messages
        ]
    return folded


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object")
    return value
