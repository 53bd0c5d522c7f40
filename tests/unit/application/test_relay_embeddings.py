"""The use case of embeddings: who is asked, what reaches the client, what reaches the ledger, on every way out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import pytest

from relay.application.attempts import AttemptLimits
from relay.application.ports import EmbeddingBackend
from relay.application.relay_embeddings import RelayEmbeddings
from relay.domain.catalog import Alias, Catalog, Pool, ProviderEntry, VirtualModel
from relay.domain.embeddings import EmbedRequest, EmbedResponse
from relay.domain.errors import (
    AccountingUnavailable,
    Forbidden,
    LacksCapability,
    Malformed,
    Overloaded,
    Rejected,
    TimedOut,
    UnknownModel,
    Unreachable,
    Unsupported,
)
from relay.domain.keys import KeyRecord
from relay.domain.ledger import AttemptEnded, AttemptStarted
from relay.domain.usage import Usage
from tests.support.fakes_chat import CountingIds, FixedCatalog, ManualHangup, TickingClock
from tests.support.fakes_embeddings import (
    NamedEmbeddingBackends,
    RecordingEmbedReply,
    RuleBackend,
    embed_call,
    vector,
)

pytestmark = pytest.mark.anyio

TOKENS = EmbedRequest(model="up/embed", token_lists=((1, 2, 3), (4,)))


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


def relay_embeddings(
    books: Books,
    backends: dict[str, EmbeddingBackend],
    virtuals: Sequence[VirtualModel] = (),
    *,
    limits: AttemptLimits | None = None,
    without: Sequence[str] = (),
) -> RelayEmbeddings:
    """`without` are providers that make no embeddings."""
    names = (*without, *backends)
    catalog = Catalog(
        providers=tuple(ProviderEntry(name=name, kind="openai") for name in names), virtuals=tuple(virtuals)
    )
    return RelayEmbeddings(
        catalog=FixedCatalog(catalog),
        backends=NamedEmbeddingBackends(backends),
        ledger=books,
        clock=TickingClock(),
        ids=CountingIds(),
        limits=limits or AttemptLimits(),
    )


async def test_an_answer_is_passed_on_and_booked_as_reported() -> None:
    books, reply, backend = Books(), RecordingEmbedReply(), RuleBackend(losses=("user",))
    await relay_embeddings(books, {"up": backend})(embed_call("up/embed", "a", "b"), reply, ManualHangup())
    assert reply.finished is not None
    assert reply.finished.response.vectors == (vector(0.0, 1.0), vector(1.0, 1.0))
    (started,), (ended,) = books.started, books.ended
    assert (started.context.dialect, started.context.stream, started.context.model) == (
        "openai.embeddings",
        False,
        "embed",
    )
    assert (ended.id, ended.outcome, ended.status) == (started.id, "ok", 200)
    assert (ended.usage, ended.usage_source) == (Usage(input_tokens=6), "reported")
    assert ended.first_ms is not None
    assert ended.losses == reply.heads[-1].losses == ("user",)
    assert backend.exchanges[0].closed


async def test_the_end_is_in_the_ledger_before_the_answer_leaves() -> None:
    books = Books()

    class Watching(RecordingEmbedReply):
        async def finish(self, answer):  # type: ignore[no-untyped-def]
            assert [entry.outcome for entry in books.ended] == ["ok"]
            await super().finish(answer)

    reply = Watching()
    await relay_embeddings(books, {"up": RuleBackend()})(embed_call(), reply, ManualHangup())
    assert reply.begun


async def test_a_provider_that_counts_nothing_is_estimated() -> None:
    def uncounted(request: EmbedRequest) -> EmbedResponse:
        return EmbedResponse(vectors=(vector(1.0),) * request.count)

    for call, tokens in (
        (embed_call("up/embed", "1234", "ä234"), 3),
        (embed_call(request=TOKENS), 4),
    ):
        books = Books()
        await relay_embeddings(books, {"up": RuleBackend(uncounted)})(
            call, RecordingEmbedReply(), ManualHangup()
        )
        assert books.started[0].input_tokens_estimate == tokens
        assert books.ended[0].usage.input_tokens == tokens
        assert books.ended[0].usage_source == "estimated"


async def test_a_refusal_is_raised_and_booked_without_tokens() -> None:
    books, reply = Books(), RecordingEmbedReply()
    refusal = Rejected("too long")
    refusal.provider_status = 400
    with pytest.raises(Rejected):
        await relay_embeddings(books, {"up": RuleBackend(before=(refusal,))})(
            embed_call(), reply, ManualHangup()
        )
    assert not reply.begun
    assert (books.ended[0].outcome, books.ended[0].status) == ("error", 400)
    assert (books.ended[0].usage, books.ended[0].usage_source) == (Usage(), "none")


async def test_a_garbled_answer_is_an_error_that_may_have_cost() -> None:
    books = Books()
    with pytest.raises(Malformed):
        await relay_embeddings(books, {"up": RuleBackend(steps=(Malformed("no vectors"),))})(
            embed_call("up/embed", "12345678"), RecordingEmbedReply(), ManualHangup()
        )
    (ended,) = books.ended
    assert (ended.outcome, ended.status, ended.error_code) == ("error", 200, "bad_upstream_response")
    assert (ended.usage.input_tokens, ended.usage_source) == (2, "estimated")


@pytest.mark.parametrize("trouble", [Overloaded("busy"), Unreachable("down"), Malformed("garbage")])
async def test_a_pool_goes_on_to_its_next_target(trouble: Exception) -> None:
    books, reply = Books(), RecordingEmbedReply()
    assert isinstance(trouble, Overloaded | Unreachable | Malformed)
    backends: dict[str, EmbeddingBackend] = {"bad": RuleBackend(steps=(trouble,)), "good": RuleBackend()}
    pool = Pool(name="vectors", targets=("bad/m", "good/m"))
    await relay_embeddings(books, backends, [pool])(embed_call("vectors"), reply, ManualHangup())
    assert (reply.heads[-1].provider, reply.heads[-1].attempts) == ("good", 2)
    assert [entry.outcome for entry in books.ended] == ["error", "ok"]
    assert [start.context.attempt for start in books.started] == [1, 2]


async def test_what_one_provider_rejects_is_not_tried_elsewhere() -> None:
    second = RuleBackend()
    backends: dict[str, EmbeddingBackend] = {"bad": RuleBackend(before=(Rejected("no"),)), "good": second}
    pool = Pool(name="vectors", targets=("bad/m", "good/m"))
    with pytest.raises(Rejected):
        await relay_embeddings(Books(), backends, [pool])(
            embed_call("vectors"), RecordingEmbedReply(), ManualHangup()
        )
    assert second.calls == []


async def test_a_provider_without_embeddings_is_passed_over() -> None:
    books, reply = Books(), RecordingEmbedReply()
    pool = Pool(name="vectors", targets=("chatty/m", "good/m"))
    use_case = relay_embeddings(books, {"good": RuleBackend()}, [pool], without=("chatty",))
    await use_case(embed_call("vectors"), reply, ManualHangup())
    assert (reply.heads[-1].provider, reply.heads[-1].attempts) == ("good", 1)
    with pytest.raises(LacksCapability, match='"chatty/m" does not support embedding'):
        await use_case(embed_call("chatty/m"), RecordingEmbedReply(), ManualHangup())
    assert len(books.started) == 1


async def test_token_ids_go_to_providers_that_take_them() -> None:
    books, reply = Books(), RecordingEmbedReply()
    texts_only, takes = RuleBackend(takes_tokens=False), RuleBackend()
    pool = Pool(name="vectors", targets=("oll/m", "up/m"))
    use_case = relay_embeddings(books, {"oll": texts_only, "up": takes}, [pool])
    request = EmbedRequest(model="vectors", token_lists=TOKENS.token_lists)
    await use_case(embed_call(request=request), reply, ManualHangup())
    assert (len(texts_only.calls), len(takes.calls)) == (0, 1)


async def test_token_ids_that_nobody_takes_are_refused_with_the_way_out() -> None:
    books = Books()
    use_case = relay_embeddings(books, {"up": RuleBackend(takes_tokens=False)})
    with pytest.raises(Unsupported) as refused:
        await use_case(embed_call(request=TOKENS), RecordingEmbedReply(), ManualHangup())
    assert "check_embedding_ctx_length=False" in refused.value.message
    assert (refused.value.status, refused.value.param) == (400, "input")
    assert books.started == []


async def test_no_inputs_have_no_vectors_and_no_attempt() -> None:
    books, reply, backend = Books(), RecordingEmbedReply(), RuleBackend()
    use_case = relay_embeddings(books, {"up": backend})
    await use_case(embed_call(request=EmbedRequest(model="up/embed")), reply, ManualHangup())
    assert reply.finished is not None
    assert reply.finished.response == EmbedResponse(vectors=())
    assert [(head.provider, head.model, head.attempts) for head in reply.heads] == [("up", "embed", 0)]
    assert (books.started, backend.calls) == ([], [])
    with pytest.raises(UnknownModel):
        await use_case(embed_call(request=EmbedRequest(model="zzz")), RecordingEmbedReply(), ManualHangup())


async def test_a_client_that_leaves_is_booked_with_the_true_usage() -> None:
    books, hangup, reply = Books(), ManualHangup(), RecordingEmbedReply()
    backend = RuleBackend(steps=(0.05,))
    async with anyio.create_task_group() as group:
        group.start_soon(relay_embeddings(books, {"up": backend}), embed_call(), reply, hangup)
        await anyio.sleep(0.01)
        hangup.leave()
    assert reply.finished is None
    (ended,) = books.ended
    assert (ended.outcome, ended.usage, ended.usage_source) == (
        "cancelled",
        Usage(input_tokens=3),
        "reported",
    )
    assert backend.exchanges[0].closed


async def test_a_drain_ends_after_its_own_limit() -> None:
    books, hangup = Books(), ManualHangup()
    use_case = relay_embeddings(
        books, {"up": RuleBackend(before=(30.0,))}, limits=AttemptLimits(drain_s=0.05)
    )
    with anyio.fail_after(2):
        async with anyio.create_task_group() as group:
            group.start_soon(use_case, embed_call(), RecordingEmbedReply(), hangup)
            await anyio.sleep(0.02)
            hangup.leave()
    assert [ended.outcome for ended in books.ended] == ["cancelled"]


async def test_the_deadline_holds_over_all_attempts() -> None:
    books = Books()
    backends: dict[str, EmbeddingBackend] = {f"p{number}": RuleBackend(before=(30.0,)) for number in range(3)}
    pool = Pool(name="vectors", targets=tuple(f"{name}/m" for name in backends))
    use_case = relay_embeddings(books, backends, [pool], limits=AttemptLimits(total_s=0.1))
    with anyio.fail_after(2), pytest.raises(TimedOut):
        await use_case(embed_call("vectors"), RecordingEmbedReply(), ManualHangup())
    assert len(books.started) == len(books.ended) == 1


async def test_a_relay_that_stops_books_the_attempt_as_interrupted() -> None:
    books = Books()
    with anyio.move_on_after(0.05):
        await relay_embeddings(books, {"up": RuleBackend(steps=(30.0,))})(
            embed_call(), RecordingEmbedReply(), ManualHangup()
        )
    assert [ended.outcome for ended in books.ended] == ["interrupted"]


async def test_without_a_ledger_no_provider_is_called() -> None:
    backend = RuleBackend()
    with pytest.raises(AccountingUnavailable):
        await relay_embeddings(Books(full=True), {"up": backend})(
            embed_call(), RecordingEmbedReply(), ManualHangup()
        )
    assert backend.calls == []


async def test_a_keys_models_and_an_aliass_tags_count_as_for_chat() -> None:
    books, backend = Books(), RuleBackend()
    alias = Alias(name="Vectors", target="up/Embed-X", tags=("team:search",))
    use_case = relay_embeddings(books, {"up": backend}, [alias])
    await use_case(embed_call("vectors@bob"), RecordingEmbedReply(), ManualHangup())
    assert (backend.calls[0].model, backend.calls[0].echo) == ("Embed-X", "vectors@bob")
    (started,) = books.started
    assert (started.context.name_asked, started.context.virtual, started.context.resolved_by) == (
        "vectors",
        "Vectors",
        "alias",
    )
    assert [str(tag) for tag in started.context.tags] == ["team:search", "tag:bob"]
    key = KeyRecord(public_id="k", name="web", digest=b"", models=("other/*",))
    with pytest.raises(Forbidden):
        await use_case(embed_call("vectors", key=key), RecordingEmbedReply(), ManualHangup())
    assert len(books.started) == 1
