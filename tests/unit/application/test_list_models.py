"""The model cards: which names have one, what it says, and who may see it."""

import re
from dataclasses import dataclass

import pytest

from relay.application.calls import Caller
from relay.application.list_models import UNDATED, ListModels, ModelCard
from relay.domain.capabilities import CAPABILITIES, Capabilities, Capability
from relay.domain.catalog import (
    Alias,
    Catalog,
    ModelEntry,
    Pool,
    ProviderEntry,
    Redirect,
    Router,
    RouterCandidate,
)
from relay.domain.errors import UnknownModel
from relay.domain.keys import KeyRecord
from tests.support.builders import catalog, provider
from tests.support.fakes_chat import FixedCatalog

ANYONE = Caller()


def entry(model: str, *offered: Capability, known: bool = True, **more: int | str) -> ModelEntry:
    capabilities = Capabilities(offered=frozenset(offered), known=known)
    return ModelEntry(id=model, capabilities=capabilities, **more)  # type: ignore[arg-type] # by name


def cards(found: Catalog, caller: Caller = ANYONE) -> dict[str, ModelCard]:
    return {card.name: card for card in ListModels(catalog=FixedCatalog(found))(caller)}


def find(name: str, found: Catalog, caller: Caller = ANYONE) -> ModelCard:
    return ListModels(catalog=FixedCatalog(found)).find(name, caller)


def with_key(*models: str) -> Caller:
    return Caller(key=KeyRecord(public_id="p", name="k", digest=b"", models=models))


UP = provider("up", entry("basic", "completion", "tools", context_tokens=32768, created=10), "plain")


def test_every_provider_model_and_virtual_model_but_redirects_is_listed() -> None:
    found = catalog(
        UP,
        Alias(name="Sonnet", target="up/basic"),
        Pool(name="fast", targets=("up/plain", "up/basic")),
        Router(
            name="smart",
            designator="up/plain",
            candidates=(RouterCandidate(model="up/plain"),),
            fallback="up/basic",
        ),
        Redirect(name="gpt-4", target="up/basic"),
        Redirect(name="claude-*", target="up/*"),
    )
    assert set(cards(found)) == {"Sonnet", "fast", "smart", "up/basic", "up/plain"}


def test_a_virtual_model_that_leads_nowhere_is_not_listed() -> None:
    found = catalog(UP, Alias(name="lost", target="down/model"), Alias(name="a", target="b"))
    assert set(cards(found)) == {"up/basic", "up/plain"}


@pytest.mark.parametrize(
    "virtual",
    [
        Alias(name="v", target="up/basic"),
        Pool(name="v", targets=("up/basic", "up/plain")),
        Router(name="v", designator="up/plain", candidates=(), fallback="up/basic"),
    ],
    ids=lambda virtual: type(virtual).__name__,
)
def test_a_virtual_model_has_what_its_first_target_has(virtual: Alias | Pool | Router) -> None:
    listed = cards(catalog(UP, virtual))
    assert listed["v"].capabilities == ("completion", "tools")
    assert listed["v"].context_tokens == 32768
    assert listed["v"].created == 10
    assert listed["v"].owner == ""


def test_an_alias_of_a_model_its_provider_never_listed_has_a_card_all_the_same() -> None:
    card = cards(catalog(UP, Alias(name="v", target="up/brand-new-1")))["v"]
    assert (card.capabilities, card.context_tokens, card.family) == (("completion", "tools"), 0, "brand")


def test_capabilities_come_from_the_closed_set_in_its_order() -> None:
    listed = cards(catalog(provider("up", entry("m", *reversed(CAPABILITIES)))))
    assert listed["up/m"].capabilities == CAPABILITIES


def test_an_embedding_model_does_not_complete() -> None:
    assert cards(catalog(provider("up", entry("e", "embedding"))))["up/e"].capabilities == ("embedding",)


def test_a_model_of_unknown_capabilities_is_shown_with_what_the_relay_passes_on() -> None:
    assert cards(catalog(provider("up", "mystery")))["up/mystery"].capabilities == ("completion", "tools")


def test_a_model_known_to_have_no_tools_is_not_shown_with_them() -> None:
    assert cards(catalog(provider("up", entry("m", "completion"))))["up/m"].capabilities == ("completion",)


def test_the_newest_comes_first_and_equals_keep_the_catalogs_order() -> None:
    found = catalog(
        provider(
            "b", entry("old", "completion", created=5), entry("new", "completion", created=2_000_000_000)
        ),
        provider("a", "undated-1", "undated-2"),
    )
    assert list(cards(found)) == ["b/new", "a/undated-1", "a/undated-2", "b/old"]
    assert cards(found)["a/undated-1"].created == UNDATED


def test_no_name_is_listed_twice() -> None:
    found = catalog(provider("up", "m", "M", "m:latest", "x"), Alias(name="up/M", target="up/x"))
    assert list(cards(found)) == ["up/M", "up/x"]


def test_the_digest_is_64_hex_digits_and_the_same_in_another_process() -> None:
    digest = cards(catalog(UP))["up/basic"].digest
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert digest == "b45b9f33ee4ea19667ca03db850658b1bae42c2bcb2182de5139ee9ffb2ff5f0"


def test_digests_tell_names_and_targets_apart() -> None:
    one = cards(catalog(UP, Alias(name="v", target="up/basic"), Alias(name="w", target="up/basic")))
    other = cards(catalog(UP, Alias(name="v", target="up/plain")))
    assert len({card.digest for card in one.values()}) == len(one)
    assert one["v"].digest != other["v"].digest


def test_a_digest_changes_with_what_clients_remember_by_it() -> None:
    """llm-ollama asks for a model's capabilities once for each digest, and never again."""
    one = catalog(provider("up", entry("m", "completion", context_tokens=4096)))
    more = (
        catalog(provider("up", entry("m", "completion", "tools", context_tokens=4096))),
        catalog(provider("up", entry("m", "completion", context_tokens=8192))),
    )
    digests = {cards(found)["up/m"].digest for found in (one, *more)}
    assert len(digests) == 3


def test_weights_with_a_digest_of_their_own_keep_it() -> None:
    own = "ab" * 32
    found = catalog(provider("up", entry("m", "completion", digest=f"sha256:{own}")))
    assert cards(found)["up/m"].digest == own


def test_a_digest_that_is_none_is_replaced() -> None:
    found = catalog(provider("up", entry("m", "completion", digest="abc")))
    assert re.fullmatch(r"[0-9a-f]{64}", cards(found)["up/m"].digest)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-5-mini", "gpt"),
        ("Claude-Sonnet", "claude"),
        ("deepseek/deepseek-r1:free", "deepseek"),
        ("4o", "x"),
    ],
)
def test_the_family_is_a_word_without_dots(model: str, family: str) -> None:
    found = catalog(ProviderEntry(name="up", kind="x.ai", models=(ModelEntry(id=model),)))
    assert cards(found)[f"up/{model}"].family == family


def test_a_family_the_provider_tells_is_taken() -> None:
    found = catalog(provider("up", entry("m", "completion", family="Qwen2.5")))
    assert cards(found)["up/m"].family == "qwen"


def test_a_family_can_be_found_for_anything() -> None:
    found = catalog(ProviderEntry(name="up", kind="7", models=(ModelEntry(id="7"),)))
    assert cards(found)["up/7"].family == "model"


@pytest.mark.parametrize("name", ["up/basic", "UP/Basic", "up/basic:latest", " up/BASIC:latest "])
def test_a_listed_name_is_found_in_every_spelling(name: str) -> None:
    assert find(name, catalog(UP)).name == "up/basic"


@pytest.mark.parametrize("name", ["basic", "BASIC:latest", "gpt-4", "up-basic", "basic@team:web"])
def test_a_name_that_is_served_but_not_listed_is_found_too(name: str) -> None:
    found = catalog(UP, Redirect(name="gpt-4", target="up/basic"))
    card = find(name, found)
    assert card.capabilities == ("completion", "tools")
    assert card.context_tokens == 32768


def test_two_spellings_of_an_unlisted_name_have_one_card() -> None:
    assert find("basic", catalog(UP)) == find("BASIC:latest", catalog(UP))


def test_an_unknown_name_is_told_with_close_ones() -> None:
    with pytest.raises(UnknownModel) as unknown:
        find("up/basik", catalog(UP))
    assert unknown.value.name == "up/basik"
    assert unknown.value.closest[0] == "up/basic"


def test_a_provider_that_lists_nothing_is_believed_to_have_anything() -> None:
    assert find("silent/any-model", catalog(UP, provider("silent"))).owner == "silent"


def test_a_provider_that_lists_its_models_is_believed_in_what_it_leaves_out() -> None:
    for name in ("up/other", "UP/other:latest"):
        with pytest.raises(UnknownModel):
            find(name, catalog(UP))


def test_with_a_default_model_set_every_name_is_served() -> None:
    assert find("zzz", catalog(UP, default="up/basic")).context_tokens == 32768


def test_a_key_sees_the_names_and_targets_on_its_list() -> None:
    found = catalog(UP, Alias(name="sonnet", target="up/basic"), Alias(name="small", target="up/plain"))
    assert set(cards(found, with_key("up/basic"))) == {"up/basic", "sonnet"}
    assert set(cards(found, with_key("SMALL"))) == {"small"}
    assert set(cards(found, with_key("up/*"))) == {"up/basic", "up/plain", "sonnet", "small"}
    assert set(cards(found, with_key())) == {"up/basic", "up/plain", "sonnet", "small"}
    assert cards(found, with_key("other/*")) == {}


def test_what_a_key_does_not_reach_is_unknown_and_not_hinted_at() -> None:
    with pytest.raises(UnknownModel) as unknown:
        find("up/basic", catalog(UP), with_key("up/plain"))
    assert "up/basic" not in unknown.value.closest


def test_a_new_snapshot_is_seen_and_an_old_one_is_not_worked_through_again() -> None:
    @dataclass
    class Changing:
        now: Catalog

        def current(self) -> Catalog:
            return self.now

    source = Changing(catalog(UP))
    list_models = ListModels(catalog=source)
    first = list_models(ANYONE)
    assert list_models(ANYONE) is first
    source.now = catalog(provider("up", "other"))
    assert [card.name for card in list_models(ANYONE)] == ["up/other"]


def test_keys_share_a_listing_only_when_they_may_reach_the_same() -> None:
    list_models = ListModels(catalog=FixedCatalog(catalog(UP)))
    narrow = list_models(with_key("up/plain"))
    assert [card.name for card in narrow] == ["up/plain"]
    assert list_models(with_key("up/plain")) is narrow
    assert list_models(with_key()) is list_models(ANYONE)
    assert len(list_models(ANYONE)) > 1


def test_however_many_allow_lists_there_are_each_gets_its_own_listing() -> None:
    list_models = ListModels(catalog=FixedCatalog(catalog(UP)))
    for number in range(200):
        other, own = f"other/{number}", "up/basic" if number % 2 else "up/plain"
        assert [card.name for card in list_models(with_key(other, own))] == [own]


def test_an_empty_catalog_lists_nothing() -> None:
    assert cards(catalog()) == {}
