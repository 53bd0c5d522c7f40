"""Opens connections: names resolved, every address shown to whoever may refuse it, the first that answers taken."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain, zip_longest
from time import monotonic
from typing import Any

import anyio

from relay.adapters.outbound.http.breaks import unreachable, why_not_connected
from relay.adapters.outbound.http.http1.connection import Connection
from relay.adapters.outbound.http.request_head import Origin
from relay.domain.errors import Unreachable

HEAD_START_S = 0.25
"""How long an address may take before the next is tried beside it (RFC 8305, 8)."""

type Address = IPv4Address | IPv6Address

type Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
"""As `getaddrinfo` gives it."""

type Place = tuple[socket.AddressFamily, tuple[object, ...]]
"""What a socket is made for, and what it connects to."""

type Admit = Callable[[str, Address, int], None]
"""Raises `Unreachable` when this address, which a host's name stands for, may not be connected to at this port."""


def admit_all(host: str, address: Address, port: int) -> None:
    """No address is refused."""


async def connect(
    origin: Origin, connection: Connection, *, tls: ssl.SSLContext | None, admit: Admit
) -> None:
    """Connect. Raises `Unreachable`; whatever happens, an open socket is the connection's or nobody's."""
    began = monotonic()
    try:
        reached = await _first_to_answer(await _addresses(origin, admit))
        connection.connect_s = monotonic() - began
        began = monotonic()
        await _hand_over(reached, connection, tls, origin.host)
    except (OSError, UnicodeError, ExceptionGroup) as error:
        raise unreachable(why_not_connected(error)) from None
    if tls is not None:
        connection.tls_s = monotonic() - began


async def _addresses(origin: Origin, admit: Admit) -> Sequence[Place]:
    """Where the origin may be connected to, families by turns. Raises the refusal when none is left."""
    found = _literal(origin) or await asyncio.get_running_loop().getaddrinfo(
        origin.host, origin.port, type=socket.SOCK_STREAM
    )
    admitted: list[Place] = []
    refusal: Unreachable | None = None
    for family, _, _, _, place in found:
        try:
            admit(origin.host, ip_address(place[0]), origin.port)
        except Unreachable as refused:
            refusal = refused
        else:
            admitted.append((family, place))
    if not admitted:
        raise refusal or unreachable("its name cannot be resolved")
    first = [each for each in admitted if each[0] == admitted[0][0]]
    others = [each for each in admitted if each[0] != admitted[0][0]]
    return [each for each in chain.from_iterable(zip_longest(first, others)) if each is not None]


def _literal(origin: Origin) -> Sequence[Found]:
    """The one address of a host that is given by it, for which no thread is needed; else none."""
    try:
        return socket.getaddrinfo(
            origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except socket.gaierror:
        return []


async def _first_to_answer(
    addresses: Sequence[Place],
) -> socket.socket:
    """Each address gets a head start on the next. Raises what the last of them failed by."""
    if len(addresses) == 1:
        return await _connected(*addresses[0])
    reached: list[socket.socket] = []
    errors: list[OSError] = []

    async def attempt(family: socket.AddressFamily, place: tuple[object, ...], failed: anyio.Event) -> None:
        try:
            reached.append(await _connected(family, place))
            attempts.cancel_scope.cancel()
        except OSError as error:
            errors.append(error)
            failed.set()

    try:
        async with anyio.create_task_group() as attempts:
            for family, place in addresses:
                failed = anyio.Event()
                attempts.start_soon(attempt, family, place, failed)
                with anyio.move_on_after(HEAD_START_S):
                    await failed.wait()
    except BaseException:
        _close(reached)
        raise
    if not reached:
        raise errors[-1]
    _close(reached[1:])
    return reached[0]


async def _connected(family: socket.AddressFamily, place: tuple[object, ...]) -> socket.socket:
    candidate = socket.socket(family, socket.SOCK_STREAM)
    try:
        candidate.setblocking(False)
        candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(candidate, place)
    except BaseException:
        candidate.close()
        raise
    return candidate


async def _hand_over(
    reached: socket.socket, connection: Connection, tls: ssl.SSLContext | None, host: str
) -> None:
    loop = asyncio.get_running_loop()
    name = host.removesuffix(".") if tls else None
    try:
        await loop.create_connection(lambda: connection, sock=reached, ssl=tls, server_hostname=name)
    except BaseException:
        connection.abort()
        reached.close()
        raise


def _close(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        each.close()
