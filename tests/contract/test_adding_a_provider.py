"""What CONTRIBUTING.md says of adding a provider is done here, to the letter."""

import re
import tomllib
from pathlib import Path

import pytest

from relay.adapters.outbound.providers import spec
from relay.adapters.outbound.providers.spec import configured, found_in_environment, kinds
from tests.support.provider_rows import check_answer, check_request, row_in

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parent.parent.parent / "CONTRIBUTING.md").read_text("utf-8")
ROW, FIXTURE = re.findall(r"```toml\n(.*?)```", PAGE.partition("## A provider that")[2], re.DOTALL)
KIND = "novita"


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue with the page's row at its end."""
    path = Path(spec.__file__).with_name("catalog.toml")
    grown = tomllib.loads(f"{path.read_text('utf-8')}\n{ROW}")
    monkeypatch.setattr(spec, "_rows", lambda: grown)


def test_the_row_is_one_more_kind_and_its_key_in_the_environment_brings_the_provider() -> None:
    assert kinds()[-1] == KIND
    assert [found.name for found in found_in_environment({"NOVITA_API_KEY": "k"})] == [KIND]
    assert configured("mine", {"kind": KIND}, {}).base_url == "https://api.novita.ai/v3/openai"


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_the_row_sends_what_the_fixture_says(stream: bool) -> None:
    await check_request(KIND, row_in(FIXTURE), stream=stream)


async def test_the_answers_of_the_fixture_come_to_what_it_says() -> None:
    row = row_in(FIXTURE)
    assert row.answers
    for answer in row.answers:
        await check_answer(KIND, row, answer)


async def test_a_fixture_that_is_wrong_fails() -> None:
    wrong = row_in(FIXTURE.replace('losses = ["user"]', "losses = []"))
    with pytest.raises(AssertionError):
        await check_request(KIND, wrong, stream=True)
