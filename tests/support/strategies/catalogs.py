"""Catalogs of every kind of entry, over so few names that loops, clashes and wildcards are the normal case."""

from functools import cache

from hypothesis import strategies as st

from relay.domain.catalog import (
    Alias,
    Catalog,
    ModelEntry,
    Pool,
    ProviderEntry,
    Redirect,
    Router,
    RouterCandidate,
    VirtualModel,
)

PROVIDERS = ("openai", "ollama", "groq")
MODEL_IDS = ("GPT-5", "gpt-5-mini", "qwen3:8b", "llama3:latest", "Org/Model", "a", "b")
VIRTUALS = ("a", "b", "c", "fast", "gpt-5", "openai/gpt-5", "Fast:latest")
WILDCARDS = (("gpt-*", "openai/gpt-*"), ("*", "x*"), ("a*", "aa*"), ("x*", "openai/*"), ("*-mini", "fast"))

tags = st.lists(st.sampled_from(["team:web", "cost:low", "alice"]), max_size=2).map(tuple)


@cache
def names() -> st.SearchStrategy[str]:
    """Names a caller may send: known ones, misspelt ones, prefixed ones, nonsense."""
    bare = st.sampled_from((*MODEL_IDS, *VIRTUALS, "nothing", "gpt-6", "gtp-5"))
    prefixed = st.builds(
        lambda provider, separator, model: provider + separator + model,
        st.sampled_from(PROVIDERS),
        st.sampled_from(("/", "-")),
        bare,
    )
    return st.one_of(bare, prefixed, bare.map(str.upper), bare.map("{}:latest".format), st.text(max_size=12))


@cache
def providers() -> st.SearchStrategy[tuple[ProviderEntry, ...]]:
    """Some of the providers, each with some of the models."""
    models = st.lists(st.sampled_from(MODEL_IDS), max_size=4, unique=True).map(
        lambda ids: tuple(ModelEntry(id=model) for model in ids)
    )
    one = st.builds(ProviderEntry, name=st.sampled_from(PROVIDERS), kind=st.just("ollama"), models=models)
    return st.lists(one, max_size=3, unique_by=lambda entry: entry.name).map(tuple)


@cache
def virtuals() -> st.SearchStrategy[tuple[VirtualModel, ...]]:
    """Virtual models whose targets are any names but blank ones, each other's and their own included."""
    name, target = st.sampled_from(VIRTUALS), names().filter(str.strip)
    targets = st.lists(target, min_size=1, max_size=4).map(tuple)
    candidates = st.lists(st.builds(RouterCandidate, model=target), min_size=1, max_size=3).map(tuple)
    wildcard = st.sampled_from(WILDCARDS).map(lambda pair: Redirect(name=pair[0], target=pair[1]))
    one: st.SearchStrategy[VirtualModel] = st.one_of(
        st.builds(Alias, name=name, target=target, tags=tags),
        st.builds(Redirect, name=name, target=target),
        wildcard,
        st.builds(Pool, name=name, targets=targets, tags=tags),
        st.builds(Router, name=name, designator=target, candidates=candidates, fallback=target, tags=tags),
    )
    return st.lists(one, max_size=8, unique_by=lambda entry: entry.name).map(tuple)


@cache
def catalogs() -> st.SearchStrategy[Catalog]:
    """Whole catalogs, with and without a default."""
    return st.builds(
        Catalog,
        providers=providers(),
        virtuals=virtuals(),
        default_model=st.one_of(st.none(), names()),
    )
