"""The connections to one origin: those that wait for a request, the last one used first."""

from relay.adapters.outbound.http.http1.connection import READ_BYTES, Connection

MAX_IDLE_CONNECTIONS = 256


class Pool:
    """How many calls run at once is for the bulkhead to say; how many connections wait, for the pool."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._is_closed = False
        self._buffer = memoryview(bytearray(READ_BYTES))

    def take(self) -> Connection | None:
        """A connection that is open, unused and quiet; others that are met on the way are closed."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_quiet():
                return connection
            connection.abort()
        return None

    def new(self) -> Connection:
        """A connection yet to be connected, in use from now on."""
        connection = Connection(self._forget, self._buffer)
        self._open.add(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """A connection after its answer: kept when it can be used again."""
        if self._is_closed or len(self._idle) >= MAX_IDLE_CONNECTIONS:
            connection.abort()
        elif connection.release():
            self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """A connection that came to nothing, or is not to be gone on with."""
        connection.abort()
        self._open.discard(connection)

    def close(self) -> None:
        """Close every connection, and keep none from now on."""
        self._is_closed = True
        for connection in tuple(self._open):
            connection.abort()

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
