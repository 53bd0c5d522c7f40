"""Who may come in without a key, given where the relay listens."""

from dataclasses import dataclass
from ipaddress import ip_address

from relay.application.authenticate import AuthMode
from relay.application.ports import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The rule: beyond this machine nobody is served without a key, unless `insecure` says so."""

    host: str
    keys: Keys
    insecure: bool = False

    @property
    def on_loopback(self) -> bool:
        """True when only this machine can reach the relay."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def mode(self, configured: AuthMode) -> AuthMode:
        """The mode in force."""
        return "open" if self.insecure else configured

    def stands_open(self, configured: AuthMode) -> bool:
        """True when the configured mode would let in whom the rule keeps out."""
        is_guarded = configured == "keys" or (configured == "auto" and self.keys.any_exist())
        return not (self.on_loopback or is_guarded or self.insecure)
