"""From a call to its plan: permissions, known absences, and names that hold `@`."""

import time
from collections.abc import Sequence

import pytest

from relay.application.plan_call import MAX_ASKED_CHARACTERS, plan_call
from relay.domain.capabilities import Capabilities, Capability
from relay.domain.catalog import Catalog, ModelEntry, Pool, ProviderEntry, Router, RouterCandidate
from relay.domain.chat import ChatRequest, Completion, Message, Reasoning, Text, ToolSpec
from relay.domain.errors import Forbidden, LacksCapability, UnknownModel, Unsupported
from relay.domain.keys import KeyRecord
from relay.domain.tags import MAX_TAGS
from tests.support.fakes_chat import chat_call

HELLO = (Message(role="user", parts=(Text(text="hello"),)),)
TOOL = ToolSpec(name="clock")


def model(name: str, *offered: Capability, known: bool = True) -> ModelEntry:
    return ModelEntry(id=name, capabilities=Capabilities(offered=frozenset(offered), known=known))


def catalog(*models: ModelEntry, pools: Sequence[Pool] = ()) -> Catalog:
    return Catalog(providers=(ProviderEntry(name="up", kind="ollama", models=models),), virtuals=tuple(pools))


def test_a_model_known_to_lack_tools_refuses_a_call_with_tools() -> None:
    call = chat_call("plain", request=ChatRequest(model="plain", messages=HELLO, tools=(TOOL,)))
    with pytest.raises(Unsupported, match='"plain" does not support tools'):
        plan_call(call, catalog(model("plain", "completion")))


def test_a_model_nothing_is_known_of_is_tried() -> None:
    call = chat_call("plain", request=ChatRequest(model="plain", messages=HELLO, tools=(TOOL,)))
    plan = plan_call(call, catalog(model("plain", "completion", known=False)))
    assert [str(target) for target in plan.targets] == ["up/plain"]


def test_thinking_switched_off_needs_no_thinking_model() -> None:
    quiet = ChatRequest(model="plain", messages=HELLO, reasoning=Reasoning(effort="none"))
    loud = ChatRequest(model="plain", messages=HELLO, reasoning=Reasoning())
    listing = catalog(model("plain", "completion"))
    assert plan_call(chat_call("plain", request=quiet, dialect="ollama.chat"), listing).targets
    with pytest.raises(Unsupported, match="does not support thinking"):
        plan_call(chat_call("plain", request=loud, dialect="ollama.chat"), listing)


def test_clients_that_always_ask_for_thoughts_are_not_refused_for_it() -> None:
    loud = ChatRequest(model="plain", messages=HELLO, reasoning=Reasoning())
    for dialect in ("openai.chat", "openai.responses", "anthropic.messages"):
        call = chat_call("plain", request=loud, dialect=dialect)
        assert plan_call(call, catalog(model("plain", "completion"))).targets


def test_an_embedding_model_does_not_chat() -> None:
    with pytest.raises(LacksCapability, match='"emb" does not support chat') as caught:
        plan_call(chat_call("emb"), catalog(model("emb", "embedding")))
    assert (caught.value.model, caught.value.capability) == ("emb", "completion")


def test_only_a_model_that_inserts_fills_in_the_middle() -> None:
    fill = ChatRequest(model="coder", messages=HELLO, completion=Completion(suffix="}"))
    assert plan_call(
        chat_call("coder", request=fill), catalog(model("coder", "completion", "insert"))
    ).targets
    assert plan_call(chat_call("coder", request=fill), catalog(model("coder", known=False))).targets
    with pytest.raises(LacksCapability, match='"coder" does not support insert'):
        plan_call(chat_call("coder", request=fill), catalog(model("coder", "completion")))


def test_a_pool_passes_over_the_member_that_lacks_what_is_needed() -> None:
    pool = Pool(name="any", targets=("up/plain", "up/smith"))
    listing = catalog(model("plain", "completion"), model("smith", "completion", "tools"), pools=[pool])
    call = chat_call("any", request=ChatRequest(model="any", messages=HELLO, tools=(TOOL,)))
    assert [str(target) for target in plan_call(call, listing).targets] == ["up/smith"]


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [((), True), (("up/*",), True), (("pl*",), True), (("PLAIN:latest",), True), (("other/*",), False)],
)
def test_a_key_reaches_only_the_models_it_lists(patterns: tuple[str, ...], allowed: bool) -> None:
    key = KeyRecord(public_id="a", name="k", digest=b"", models=patterns)
    call = chat_call("plain", key=key)
    if allowed:
        assert plan_call(call, catalog(model("plain", "completion"))).targets
    else:
        with pytest.raises(Forbidden) as caught:
            plan_call(call, catalog(model("plain", "completion")))
        assert caught.value.code == "model_not_allowed"


def test_an_at_sign_that_belongs_to_a_listed_id_begins_no_tags() -> None:
    listing = catalog(model("claude@2026", "completion"), model("claude", "completion"))
    whole = plan_call(chat_call("claude@2026"), listing)
    tagged = plan_call(chat_call("claude@bob"), listing)
    assert (whole.name, whole.tags) == ("claude@2026", ())
    assert (tagged.name, [str(tag) for tag in tagged.tags]) == ("claude", ["tag:bob"])


def test_a_router_without_a_designator_is_refused_by_name() -> None:
    router = Router(
        name="smart", designator="up/a", candidates=(RouterCandidate(model="up/a"),), fallback="up/a"
    )
    with pytest.raises(Unsupported, match="smart"):
        plan_call(chat_call("smart"), Catalog(virtuals=(router,)))


@pytest.mark.parametrize("character", ["/", "-", "@", ":", " ", "a"])
def test_what_is_longer_than_any_name_leads_nowhere_at_once(character: str) -> None:
    """Each slash is a place where a prefix could end, so a megabyte of them was looked at for minutes."""
    began = time.process_time()
    for name in (character * 1_000_000, "up/m" + character * MAX_ASKED_CHARACTERS):
        with pytest.raises(UnknownModel):
            plan_call(chat_call(name), catalog(model("m", known=False)))
    assert time.process_time() - began < 0.5


def test_a_long_name_with_all_its_tags_is_still_a_name() -> None:
    name = "up/" + "m" * 500
    tags = ",".join(f"{'k' * 22}{number}:{'v' * 41}" for number in range(MAX_TAGS))
    plan = plan_call(chat_call(f"{name}@{tags}"), catalog(model("other", known=False)))
    assert (plan.name, len(plan.tags)) == (name, MAX_TAGS)
