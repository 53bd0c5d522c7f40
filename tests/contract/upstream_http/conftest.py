"""The HTTP clients under one contract, each on the loops it is put to."""

from collections.abc import AsyncIterator

import pytest

from relay.adapters.outbound.http.interface import UpstreamHttp
from tests.support.upstream_clients import CASES, Case, Factory


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    given: Case = request.param
    return given


@pytest.fixture
def anyio_backend(case: Case) -> object:
    return case.loop


@pytest.fixture
def factory(case: Case) -> Factory:
    return case.client


@pytest.fixture
async def http(factory: Factory) -> AsyncIterator[UpstreamHttp]:
    client = factory(None)
    yield client
    await client.aclose()
