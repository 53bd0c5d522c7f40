"""The relay with room for more calls at once than it ships with, for the scenarios that need more than 256."""

from relay.__main__ import main
from relay.adapters.inbound.http.traffic import Traffic

ROOM = 4096

if __name__ == "__main__":
    Traffic.__init__.__defaults__ = (ROOM,)
    main()
