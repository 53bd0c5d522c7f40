"""From a credential to a caller."""

from dataclasses import dataclass
from typing import Literal

from relay.application.calls import Caller
from relay.application.ports import Clock, Keys
from relay.domain.errors import Unauthenticated
from relay.domain.keys import PREFIX, KeyRecord, fits, public_id
from relay.domain.tags import parse

type AuthMode = Literal["auto", "open", "keys"]


@dataclass(slots=True, kw_only=True)
class Authenticate:
    """Decides who calls, once per request, from the one credential it carries.

    `auto` is open while no key was ever created and the relay listens on loopback only, and needs keys
    otherwise. In open mode the credential is a list of tags; a relay key is still honoured, and a wrong one
    still refused: its sender means to be known. `mode` may be changed while serving.
    """

    keys: Keys
    clock: Clock
    mode: AuthMode
    on_loopback: bool

    @property
    def is_open(self) -> bool:
        """True while callers need no key."""
        match self.mode:
            case "open":
                return True
            case "keys":
                return False
            case "auto":
                return self.on_loopback and not self.keys.any_exist()

    def __call__(self, credential: str | None) -> Caller:
        """The caller behind `credential`, a key and comma-separated tags. Raises `Unauthenticated`."""
        first, *rest = [word.strip() for word in (credential or "").split(",")]
        if first.startswith(PREFIX):
            record = self._record(first)
            return Caller(key=record, tags=(*record.tags, *parse(rest, "bearer")))
        if self.is_open:
            return Caller(tags=parse([first, *rest], "bearer"))
        if not first:
            raise Unauthenticated("this relay needs an API key: send it as a bearer token")
        raise Unauthenticated("this is not an API key of this relay: its keys begin with lr_")

    def still_knows(self, caller: Caller) -> bool:
        """Whether a caller who was found before would be found again, just the same."""
        key = caller.key
        if key is None:
            return self.is_open
        return self.keys.find(key.public_id) is key and key.is_live(self.clock.unix_ms())

    def _record(self, key: str) -> KeyRecord:
        identity = public_id(key)
        record = self.keys.find(identity) if identity else None
        if record is None or not fits(key, record):
            raise Unauthenticated("unknown API key")
        if not record.is_live(self.clock.unix_ms()):
            raise Unauthenticated("this API key was revoked or has expired")
        return record
