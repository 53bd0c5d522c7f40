"""A replaced configuration: what changes with the next call, and what is kept."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from relay.adapters.outbound.http.interface import HttpRequest
from relay.configuration import Configuration, examine
from relay.live_providers import ConfiguredProviders
from tests.support.fakes_http import Answer, RecordingHttp, whole

pytestmark = pytest.mark.anyio


def listing(*models: str) -> Answer:
    return whole({"data": [{"id": model} for model in models]})


def configuration(folder: Path, text: str) -> Configuration:
    file = folder / "relay.toml"
    file.write_text(text)
    return examine(file=file, environment={}).accepted()


def provider(name: str, *lines: str) -> str:
    section = [f"[providers.{name}]", 'kind = "openai-compatible"', f'base_url = "http://{name}/v1"', *lines]
    return "\n".join(section) + "\n"


def live(configuration: Configuration, answer: Callable[[HttpRequest], Answer]) -> ConfiguredProviders:
    return ConfiguredProviders(configuration, {}, RecordingHttp(answer))


def names(providers: ConfiguredProviders) -> list[str]:
    return list(providers.catalog.current().names())


async def listed(providers: ConfiguredProviders, expected: list[str]) -> None:
    """Run the catalog until it lists what is expected."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(providers.catalog.run)
        with anyio.fail_after(2):
            while names(providers) != expected:
                await anyio.sleep(0.002)
        tasks.cancel_scope.cancel()


async def test_an_unchanged_provider_keeps_its_backend_and_its_list_and_is_not_asked_again(
    tmp_path: Path,
) -> None:
    asked: list[str] = []

    def answer(request: HttpRequest) -> Answer:
        asked.append(request.url)
        return listing("m")

    providers = live(configuration(tmp_path, provider("a") + provider("b")), answer)
    await listed(providers, ["a/m", "b/m"])
    kept, left = providers.find("A"), providers.find("b")
    assert kept
    assert left
    changed = configuration(tmp_path, '[models.x]\ntarget = "a/m"\n' + provider("c") + provider("a"))
    assert providers.replace(changed) is True
    assert providers.find("a") is kept
    assert providers.find("b") is None
    assert names(providers) == ["x", "a/m"]
    await listed(providers, ["x", "c/m", "a/m"])
    assert asked.count("http://a/v1/models") == 1


async def test_a_changed_section_is_another_provider_with_a_list_of_its_own(tmp_path: Path) -> None:
    providers = live(configuration(tmp_path, provider("a")), lambda request: listing("m"))
    await listed(providers, ["a/m"])
    before = providers.find("a")
    providers.replace(configuration(tmp_path, provider("a", "max_in_flight = 3")))
    assert providers.find("a") is not before
    assert names(providers) == []


async def test_another_key_is_used_at_once_and_the_list_stays_until_it_is_asked_for_anew(
    tmp_path: Path,
) -> None:
    seen: list[str | None] = []

    def answer(request: HttpRequest) -> Answer:
        seen.append(request.headers.get("authorization"))
        return listing("m", *(["n"] if len(seen) > 1 else []))

    key = tmp_path / "key"
    key.write_text("first")
    read = configuration(tmp_path, provider("a", f'api_key = "file:{key}"'))
    providers = live(read, answer)
    await listed(providers, ["a/m"])
    assert providers.replace(read) is False
    key.write_text("second")
    assert providers.replace(read) is True
    assert names(providers) == ["a/m"]
    await listed(providers, ["a/m", "a/n"])
    assert seen == ["Bearer first", "Bearer second"]


async def test_a_key_that_is_gone_takes_the_list_with_it_and_says_so(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("first")
    read = configuration(tmp_path, provider("a", f'api_key = "file:{key}"'))
    providers = live(read, lambda request: listing("m"))
    await listed(providers, ["a/m"])
    key.write_text("")
    assert providers.replace(read) is True
    entry = providers.catalog.current().provider("a")
    assert entry
    assert (entry.models, entry.problem) == ((), f"no key: file {key} is empty")


async def test_the_order_of_providers_is_the_order_of_search_and_a_change(tmp_path: Path) -> None:
    fixed = 'models = ["m"]'
    providers = live(configuration(tmp_path, provider("a", fixed) + provider("b", fixed)), whole)
    assert providers.replace(configuration(tmp_path, provider("b", fixed) + provider("a", fixed))) is True
    assert [str(target) for target in providers.catalog.current().offered("m")] == ["b/m", "a/m"]


async def test_what_callers_hold_follows_the_replacement(tmp_path: Path) -> None:
    providers = live(configuration(tmp_path, provider("a", 'models = ["m"]')), whole)
    held = providers.in_force()
    assert [line.name for line in held.lines] == ["a"]
    providers.replace(configuration(tmp_path, '[server]\ndefault_model = "b/x"\n' + provider("b")))
    assert held.backends.find("b")
    assert held.backends.find_embedding("b")
    assert not held.backends.find_embedding("a")
    assert held.catalog.current().default_model == "b/x"


async def test_without_providers_the_kinds_that_a_key_would_bring_are_told(tmp_path: Path) -> None:
    lines = live(configuration(tmp_path, ""), whole).in_force().lines
    assert {line.state for line in lines} == {"no key"}
    assert "openai" in {line.name for line in lines}


async def test_an_override_changes_what_is_listed_and_a_later_one_takes_its_place(tmp_path: Path) -> None:
    def entries(providers: ConfiguredProviders) -> list[tuple[str, int, bool]]:
        [entry] = providers.catalog.current().providers
        return [(model.id, model.context_tokens, model.base is not None) for model in entry.models]

    off = '[overrides."a/n"]\ndisabled = true\n'
    more = '[overrides."a/*"]\ncontext_tokens = 7\n'
    providers = live(configuration(tmp_path, provider("a") + more), lambda request: listing("m", "n"))
    await listed(providers, ["a/m", "a/n"])
    assert entries(providers) == [("m", 7, True), ("n", 7, True)]
    assert providers.replace(configuration(tmp_path, provider("a") + off))
    assert entries(providers) == [("m", 0, False)]
    assert providers.catalog.current().disabled == ("a/n",)
    assert providers.replace(configuration(tmp_path, provider("a")))
    assert entries(providers) == [("m", 0, False), ("n", 0, False)]


async def test_an_override_says_how_a_model_wants_to_be_asked(tmp_path: Path) -> None:
    text = provider("a") + '[overrides."a/o*"]\ndrop = ["temperature"]\ninstructions = "in_prompt"\n'
    spec = configuration(tmp_path, text).providers[0]
    [(pattern, quirks)] = spec.overrides
    assert (pattern, quirks.drop, quirks.instructions) == ("o*", ("temperature",), "in_prompt")
