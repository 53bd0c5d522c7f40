"""The laws of the dialects, put to every dialect and every pair of them.

Cut, round trip, whole and stream, tap: `streams`. Pairs: `pairs`. Requests settle, peek, retarget: `requests`.
Nothing silent: `losses`. The vendors' own clients: `clients`; through providers' habits: `styles`. Total and
bounded: `totality`. Reviewed fixtures are in `test_dialect_fixtures.py`, the poverty in `test_dialect_poverty.py`.
"""

import pytest

from tests.support.laws.clients import CLIENT_LAWS, WRITTEN_LAWS
from tests.support.laws.language import ClientLanguage, Language
from tests.support.laws.languages import CLIENT_ONLY, LANGUAGES
from tests.support.laws.law import Law
from tests.support.laws.losses import LOSS_LAWS
from tests.support.laws.pairs import PAIR_LAWS, Pair
from tests.support.laws.requests import REQUEST_LAWS
from tests.support.laws.streams import ANSWER_LAWS, STREAM_LAWS
from tests.support.laws.styles import STYLE_LAWS
from tests.support.laws.totality import ASKED_TOTAL, TOTAL_LAWS, bounded

LAWS = (*ANSWER_LAWS, *STREAM_LAWS, *REQUEST_LAWS, *LOSS_LAWS, *CLIENT_LAWS, *STYLE_LAWS, *TOTAL_LAWS)
PAIRS = [Pair(provider, client) for provider in LANGUAGES for client in LANGUAGES]

pytestmark = [pytest.mark.law, pytest.mark.timeout(300)]


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_every_dialect_obeys(law: Law[Language, object], language: Language) -> None:
    law.verify(language)


@pytest.mark.parametrize("law", [*WRITTEN_LAWS, ASKED_TOTAL], ids=str)
@pytest.mark.parametrize("language", CLIENT_ONLY, ids=str)
def test_every_dialect_that_only_clients_speak_obeys(
    law: Law[ClientLanguage, object], language: ClientLanguage
) -> None:
    law.verify(language)


@pytest.mark.parametrize("law", PAIR_LAWS, ids=str)
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_every_pair_of_dialects_obeys(law: Law[Pair, object], pair: Pair) -> None:
    law.verify(pair)


ENDLESS = {
    "sse": [
        (b"", b"x"),
        (b"data: ", b"x"),
        (b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\ndata: ', b"x"),
        (b"data: {\n", b"data: " + b"x" * 1000 + b"\n"),
        (b"{", b" "),
    ],
    "ndjson": [
        (b"", b"x"),
        (b"{", b" "),
        (b'{"model":"m","message":{"role":"assistant","content":"hi"},"done":false}\n{"message":"', b"x"),
    ],
}


@pytest.mark.parametrize("language", LANGUAGES, ids=str)
def test_a_frame_that_never_ends_is_a_declared_failure_in_bounded_memory(language: Language) -> None:
    for beginning, filler in ENDLESS[language.dialect.framing]:
        bounded(language, beginning, filler)
