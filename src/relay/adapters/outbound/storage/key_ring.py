"""The relay's keys in memory, following the database within two seconds."""

import anyio
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from relay.adapters.outbound.storage.engine import in_transaction
from relay.adapters.outbound.storage.key_records import key_records
from relay.adapters.outbound.storage.tables import ConfigVersionRow
from relay.application.settle_usage import StoreUnavailable
from relay.domain.keys import KeyRecord

POLL_S = 1.0


class KeyRing:
    """Implements `application.ports.Keys`. While the database is away the last state stays in force.

    Expiry needs no reload: whoever finds a key asks it whether it is live. `problem` says why the last look at
    the database failed, empty when it did not.
    """

    def __init__(self, reader: AsyncEngine) -> None:
        self.problem = ""
        self._reader = reader
        self._version: int | None = None
        self._records: dict[str, KeyRecord] = {}

    def find(self, public_id: str) -> KeyRecord | None:
        """See `Keys.find`."""
        return self._records.get(public_id)

    def any_exist(self) -> bool:
        """See `Keys.any_exist`."""
        return bool(self._records)

    async def refresh(self) -> None:
        """Reload if the configuration has changed. Raises `StoreUnavailable`; call it once before serving."""
        async with in_transaction(self._reader) as session:
            version = await session.scalar(select(ConfigVersionRow.version))
            if version != self._version:
                records = await key_records(session)
                self._records = {record.public_id: record for record in records}
                self._version = version

    async def run(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await anyio.sleep(POLL_S)
            try:
                await self.refresh()
            except StoreUnavailable as error:
                self.problem = str(error)
            else:
                self.problem = ""
