"""The chat use case: what reaches the client, what reaches the ledger, on every way out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import pytest

from relay.application.attempts import AttemptLimits
from relay.application.ports import ChatBackend, Piece
from relay.application.relay_chat import RelayChat
from relay.domain.capabilities import Capabilities
from relay.domain.catalog import Alias, Catalog, ModelEntry, Pool, ProviderEntry, VirtualModel
from relay.domain.chat import ChatRequest, Reasoning
from relay.domain.errors import (
    AccountingUnavailable,
    Interrupted,
    NoCandidate,
    Overloaded,
    Rejected,
    TimedOut,
    UnknownModel,
    Unreachable,
)
from relay.domain.ledger import AttemptEnded, AttemptStarted
from relay.domain.usage import Usage
from tests.support.fakes_chat import (
    CountingIds,
    FixedCatalog,
    ManualHangup,
    NamedBackends,
    RecordingReply,
    TapeBackend,
    TickingClock,
    chat_call,
    text_tape,
)

pytestmark = pytest.mark.anyio

USAGE = Usage(input_tokens=7, output_tokens=2)


@dataclass
class Books:
    """A ledger in memory that can be told to be full."""

    full: bool = False
    started: list[AttemptStarted] = field(default_factory=list)
    ended: list[AttemptEnded] = field(default_factory=list)

    def begin(self, started: AttemptStarted) -> None:
        if self.full:
            raise AccountingUnavailable("the ledger's disk is full")
        self.started.append(started)

    def end(self, ended: AttemptEnded) -> None:
        self.ended.append(ended)


def relay_chat(
    books: Books,
    backends: dict[str, ChatBackend],
    virtuals: Sequence[VirtualModel] = (),
    limits: AttemptLimits | None = None,
    models: tuple[ModelEntry, ...] = (),
) -> RelayChat:
    catalog = Catalog(
        providers=tuple(ProviderEntry(name=name, kind="openai", models=models) for name in backends),
        virtuals=tuple(virtuals),
    )
    return RelayChat(
        catalog=FixedCatalog(catalog),
        backends=NamedBackends(backends),
        ledger=books,
        clock=TickingClock(),
        ids=CountingIds(),
        limits=limits or AttemptLimits(),
    )


async def test_a_streamed_answer_is_passed_on_and_booked_as_reported() -> None:
    books, reply = Books(), RecordingReply()
    use_case = relay_chat(books, {"up": TapeBackend(text_tape("tok ", "tok ", usage=USAGE))})
    await use_case(chat_call(), reply, ManualHangup())
    assert reply.text() == "tok tok "
    assert reply.finished is not None
    assert [entry.outcome for entry in books.ended] == ["ok"]
    assert books.ended[0].usage == USAGE
    assert books.ended[0].usage_source == "reported"
    assert books.ended[0].id == books.started[0].id
    assert books.ended[0].status == 200


async def test_the_end_is_in_the_ledger_before_the_last_byte_leaves() -> None:
    books = Books()

    class Watching(RecordingReply):
        async def finish(self, piece: Piece) -> None:
            assert [entry.outcome for entry in books.ended] == ["ok"]
            await super().finish(piece)

    reply = Watching()
    use_case = relay_chat(books, {"up": TapeBackend(text_tape("tok "))})
    await use_case(chat_call(), reply, ManualHangup())
    assert reply.finished is not None


async def test_nothing_is_written_before_the_first_content() -> None:
    books, reply = Books(), RecordingReply()
    tape = (Piece(events=(), raw=b": comment\n\n"), 0.05, *text_tape("tok "))
    seen_at_content: list[int] = []
    reply.on_write = lambda count: seen_at_content.append(len(reply.written))
    async with anyio.create_task_group() as group:
        use_case = relay_chat(books, {"up": TapeBackend(tape)})
        group.start_soon(use_case, chat_call(), reply, ManualHangup())
        await anyio.sleep(0.02)
        assert not reply.begun
    assert reply.begun
    assert reply.written[0].raw == b": comment\n\n"


async def test_an_answer_whose_provider_counts_nothing_is_estimated() -> None:
    books = Books()
    use_case = relay_chat(books, {"up": TapeBackend(text_tape("tok ", "tok ", "tok "))})
    await use_case(chat_call(message_bytes=41), RecordingReply(), ManualHangup())
    assert books.ended[0].usage == Usage(input_tokens=11, output_tokens=3)
    assert books.ended[0].usage_source == "estimated"


async def test_a_refusal_before_the_first_byte_is_raised_and_booked_without_tokens() -> None:
    books, reply = Books(), RecordingReply()
    refusal = Rejected("no", status=400)
    refusal.provider_status = 422
    use_case = relay_chat(books, {"up": TapeBackend(before=(refusal,))})
    with pytest.raises(Rejected):
        await use_case(chat_call(), reply, ManualHangup())
    assert not reply.begun
    assert (books.ended[0].outcome, books.ended[0].status) == ("error", 422)
    assert books.ended[0].usage_source == "none"


async def test_an_error_before_any_content_moves_on_to_the_next_target_of_a_pool() -> None:
    books, reply = Books(), RecordingReply()
    broken = TapeBackend((Overloaded("busy"),))
    healthy = TapeBackend(text_tape("tok "))
    pool = Pool(name="fast", targets=("bad/m", "good/m"))
    use_case = relay_chat(books, {"bad": broken, "good": healthy}, [pool])
    await use_case(chat_call("fast"), reply, ManualHangup())
    assert reply.text() == "tok "
    assert reply.heads[-1].provider == "good"
    assert reply.heads[-1].attempts == 2
    assert [(start.context.attempt, start.context.provider) for start in books.started] == [
        (1, "bad"),
        (2, "good"),
    ]
    assert [entry.outcome for entry in books.ended] == ["error", "ok"]
    assert {start.context.resolved_by for start in books.started} == {"pool"}


async def test_a_request_the_provider_rejects_is_not_tried_elsewhere() -> None:
    books = Books()
    second = TapeBackend(text_tape("tok "))
    pool = Pool(name="fast", targets=("bad/m", "good/m"))
    backends: dict[str, ChatBackend] = {"bad": TapeBackend(before=(Rejected("no"),)), "good": second}
    with pytest.raises(Rejected):
        await relay_chat(books, backends, [pool])(chat_call("fast"), RecordingReply(), ManualHangup())
    assert second.calls == []


async def test_at_most_three_targets_are_tried() -> None:
    books = Books()
    backends: dict[str, ChatBackend] = {
        f"p{number}": TapeBackend(before=(Unreachable("down"),)) for number in range(5)
    }
    pool = Pool(name="fast", targets=tuple(f"{name}/m" for name in backends))
    with pytest.raises(Unreachable):
        await relay_chat(books, backends, [pool])(chat_call("fast"), RecordingReply(), ManualHangup())
    assert len(books.started) == len(books.ended) == 3


async def test_a_break_after_content_is_said_in_band_and_never_retried() -> None:
    books, reply = Books(), RecordingReply()
    tape = (*text_tape("tok ", "tok ")[:3], Interrupted("cut"))
    second = TapeBackend(text_tape("tok "))
    pool = Pool(name="fast", targets=("bad/m", "good/m"))
    await relay_chat(books, {"bad": TapeBackend(tape), "good": second}, [pool])(
        chat_call("fast"), reply, ManualHangup()
    )
    assert isinstance(reply.failed, Interrupted)
    assert reply.finished is None
    assert second.calls == []
    assert (books.ended[0].outcome, books.ended[0].usage.output_tokens) == ("error", 2)
    assert books.ended[0].error_code == "upstream_stream_interrupted"


async def test_a_client_that_leaves_a_stream_cancels_the_provider_and_is_booked() -> None:
    books, hangup = Books(), ManualHangup()
    backend = TapeBackend((*text_tape("tok ", "tok ", "tok ")[:4], 30.0))
    reply = RecordingReply()
    reply.on_write = lambda count: hangup.leave() if count == 3 else None
    with anyio.fail_after(2):
        await relay_chat(books, {"up": backend})(chat_call(), reply, hangup)
    assert books.ended[0].outcome == "cancelled"
    assert books.ended[0].usage.output_tokens == 2
    assert books.ended[0].usage_source == "estimated"
    assert backend.exchanges[0].closed


async def test_a_client_that_leaves_before_the_first_byte_cancels_and_is_booked() -> None:
    books, hangup = Books(), ManualHangup()
    async with anyio.create_task_group() as group:
        use_case = relay_chat(books, {"up": TapeBackend(before=(30.0,))})
        group.start_soon(use_case, chat_call(), RecordingReply(), hangup)
        await anyio.sleep(0.02)
        hangup.leave()
    assert books.ended[0].outcome == "cancelled"
    assert books.ended[0].usage == Usage(input_tokens=10, output_tokens=0)


async def test_a_provider_that_bills_to_the_end_is_read_to_the_end() -> None:
    books, hangup, reply = Books(), ManualHangup(), RecordingReply()
    backend = TapeBackend(text_tape("tok ", "tok ", "tok ", usage=USAGE), on_disconnect="drain")
    reply.on_write = lambda count: hangup.leave() if count == 2 else None
    await relay_chat(books, {"up": backend})(chat_call(), reply, hangup)
    assert len(reply.written) == 2
    assert reply.finished is None
    assert (books.ended[0].outcome, books.ended[0].usage) == ("cancelled", USAGE)
    assert books.ended[0].usage_source == "reported"


async def test_a_call_that_is_not_streamed_is_drained_when_its_client_leaves() -> None:
    books, hangup, reply = Books(), ManualHangup(), RecordingReply()
    whole = Piece(
        events=[e for p in text_tape("tok ", usage=USAGE) if isinstance(p, Piece) for e in p.events],
        last=True,
    )
    async with anyio.create_task_group() as group:
        use_case = relay_chat(books, {"up": TapeBackend((0.05, whole))})
        group.start_soon(use_case, chat_call(stream=False), reply, hangup)
        await anyio.sleep(0.01)
        hangup.leave()
    assert reply.finished is None
    assert (books.ended[0].outcome, books.ended[0].usage) == ("cancelled", USAGE)


async def test_a_drain_ends_after_its_own_limit() -> None:
    books, hangup = Books(), ManualHangup()
    backend = TapeBackend((30.0,), on_disconnect="drain")
    use_case = relay_chat(books, {"up": backend}, limits=AttemptLimits(drain_s=0.05))
    async with anyio.create_task_group() as group:
        group.start_soon(use_case, chat_call(), RecordingReply(), hangup)
        await anyio.sleep(0.02)
        hangup.leave()
        with anyio.fail_after(2):
            while not books.ended:
                await anyio.sleep(0.01)
    assert books.ended[0].outcome == "cancelled"


async def test_the_deadline_of_a_call_holds_over_all_its_attempts() -> None:
    books = Books()
    backends: dict[str, ChatBackend] = {f"p{number}": TapeBackend(before=(30.0,)) for number in range(3)}
    pool = Pool(name="fast", targets=tuple(f"{name}/m" for name in backends))
    use_case = relay_chat(books, backends, [pool], AttemptLimits(total_s=0.1))
    with anyio.fail_after(2), pytest.raises(TimedOut) as caught:
        await use_case(chat_call("fast"), RecordingReply(), ManualHangup())
    assert caught.value.phase == "total"
    assert len(books.started) == len(books.ended) == 1


async def test_a_provider_that_never_answers_may_have_billed() -> None:
    books = Books()
    silent = TapeBackend(before=(TimedOut("no first byte", phase="first_byte"),))
    with pytest.raises(TimedOut):
        await relay_chat(books, {"up": silent})(chat_call(), RecordingReply(), ManualHangup())
    assert books.ended[0].outcome == "ambiguous"
    assert books.ended[0].usage.input_tokens == 10


async def test_a_cancelled_relay_books_the_attempt_as_interrupted() -> None:
    books = Books()
    with anyio.move_on_after(0.05):
        await relay_chat(books, {"up": TapeBackend((30.0,))})(chat_call(), RecordingReply(), ManualHangup())
    assert [entry.outcome for entry in books.ended] == ["interrupted"]


async def test_without_a_ledger_no_provider_is_called() -> None:
    backend = TapeBackend(text_tape("tok "))
    with pytest.raises(AccountingUnavailable):
        await relay_chat(Books(full=True), {"up": backend})(chat_call(), RecordingReply(), ManualHangup())
    assert backend.calls == []


async def test_a_bug_in_a_backend_is_booked_and_raised() -> None:
    class Broken(TapeBackend):
        async def open(self, call):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError

    books = Books()
    with pytest.raises(ZeroDivisionError):
        await relay_chat(books, {"up": Broken()})(chat_call(), RecordingReply(), ManualHangup())
    assert (books.ended[0].outcome, books.ended[0].error_code) == ("error", "internal_error")


async def test_an_unknown_name_is_refused_without_an_attempt() -> None:
    books = Books()
    with pytest.raises(UnknownModel) as caught:
        await relay_chat(books, {"up": TapeBackend()}, [Alias(name="sonnet", target="up/m")])(
            chat_call("sonet"), RecordingReply(), ManualHangup()
        )
    assert caught.value.closest == ("sonnet",)
    assert books.started == []


async def test_a_target_without_a_backend_is_no_candidate() -> None:
    use_case = relay_chat(Books(), {"up": TapeBackend()})
    use_case = RelayChat(
        catalog=use_case.catalog,
        backends=NamedBackends({}),
        ledger=use_case.ledger,
        clock=use_case.clock,
        ids=use_case.ids,
    )
    with pytest.raises(NoCandidate):
        await use_case(chat_call(), RecordingReply(), ManualHangup())


async def test_a_model_without_thoughts_is_asked_for_none_and_it_is_told() -> None:
    backend = TapeBackend(text_tape("tok "))
    plain = ModelEntry(id="plain", capabilities=Capabilities(known=True))
    serve = relay_chat(Books(), {"up": backend}, models=(plain,))
    wanting = ChatRequest(model="up/plain", messages=(), reasoning=Reasoning())
    await serve(chat_call("up/plain", request=wanting), RecordingReply(), ManualHangup())
    [order] = backend.calls
    assert order.original.decode().reasoning is None
    assert order.losses == ("reasoning",)


async def test_the_provider_gets_its_own_id_and_the_client_its_own_name() -> None:
    backend = TapeBackend(text_tape("tok "), losses=("top_k",))
    reply = RecordingReply()
    alias = Alias(name="Sonnet", target="up/Claude-X", tags=("team:web",))
    books = Books()
    await relay_chat(books, {"up": backend}, [alias])(chat_call("sonnet@bob"), reply, ManualHangup())
    assert (backend.calls[0].model, backend.calls[0].echo) == ("Claude-X", "sonnet@bob")
    assert reply.heads[-1].losses == ("top_k",)
    assert books.ended[0].losses == ("top_k",)
    started = books.started[0]
    assert (started.context.name_asked, started.context.virtual, started.context.resolved_by) == (
        "sonnet",
        "Sonnet",
        "alias",
    )
    assert [(str(tag), tag.source) for tag in started.context.tags] == [
        ("team:web", "alias"),
        ("tag:bob", "model"),
    ]
    assert [step.step for step in started.context.trace if step.found] == ["alias", "prefix"]
