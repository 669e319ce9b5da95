"""A store on a server, over redis-py's connections.

Commands are sent and answers read on a connection of the pool directly, because
redis-py's clients repeat a command when the connection breaks (version 6 and
later by default, older ones when told to), and some of them hand a connection on
with an unread answer in it when a call is cancelled. Here nothing is repeated,
and a connection whose answer was not read is closed.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, List

from redis import exceptions

from .errors import KvError, bad_input, from_reply, not_cubby
from .store import RawRow

# What a broken connection raises besides redis-py's own errors. Python 3.12 and 3.13 have versions in which writing
# to a transport that was lost is a TypeError or an AttributeError (redis-py's issue 4287).
_BROKEN = (OSError, EOFError, asyncio.TimeoutError, TypeError, AttributeError)

_CODE_OF = {
    exceptions.AuthenticationError: "NOAUTH",
    exceptions.AuthorizationError: "NOPERM",
    exceptions.NoPermissionError: "NOPERM",
    exceptions.BusyLoadingError: "LOADING",
    exceptions.ExecAbortError: "EXECABORT",
    exceptions.NoScriptError: "NOSCRIPT",
    exceptions.ReadOnlyError: "READONLY",
}
if hasattr(exceptions, "OutOfMemoryError"):  # since version 5
    _CODE_OF[exceptions.OutOfMemoryError] = "OOM"


class RespBackend:
    """The KV commands. pool makes a pool of redis.asyncio; with owns it is closed here."""

    def __init__(self, pool: Callable[[], Any], owns: bool) -> None:
        self._make_pool = pool
        self._owns = owns
        self._pool: Any = None
        self._get_connection: Callable[[], Coroutine[Any, Any, Any]]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._pending: set[asyncio.Task[Any]] = set()

    async def get(self, key: str) -> bytes | str | None:
        return _optional_text(await self.call("KV.GET", _bytes(key)))

    async def set(self, key: str, text: bytes, ttl_ms: int | None) -> None:
        await self.call("KV.SET", _bytes(key), text, *_ttl(ttl_ms))

    async def delete(self, key: str) -> bool:
        return bool(_number(await self.call("KV.DEL", _bytes(key))))

    async def list(
        self, prefix: str, limit: int, include_values: bool, cursor: str | None
    ) -> tuple[List[RawRow], str | None]:
        args: List[Any] = ["KV.LIST", "LIMIT", str(limit)]
        if prefix:
            args += ["PREFIX", _bytes(prefix)]
        if cursor is not None:
            args += ["CURSOR", _bytes(cursor)]
        if not include_values:
            args.append("NOVALUES")
        reply = await self.call(*args)
        if not isinstance(reply, list) or len(reply) != 2 or not isinstance(reply[1], list):
            raise not_cubby("not a page of a listing")
        after = _str(reply[0])
        return [_row(row) for row in reply[1]], None if after == "0" else after

    async def mset(self, pairs: List[tuple[str, bytes]], ttl_ms: int | None) -> None:
        flat: List[bytes] = []
        # A key that is called TTL would pass for the option, unless one stands there.
        for key, text in sorted(pairs, key=lambda pair: pair[0].upper() == "TTL"):
            flat += [_bytes(key), text]
        if ttl_ms is not None and ttl_ms % 1000:
            # KV.MSET knows whole seconds only. This one stores text as it is, and ours is compact JSON.
            await self.call("MSETEX", str(len(pairs)), *flat, "PX", str(ttl_ms))
        elif ttl_ms is None and flat[0].upper() == b"TTL":
            await self.call("KV.SET", *flat)
        else:
            await self.call("KV.MSET", *_ttl(ttl_ms), *flat)

    async def mget(self, keys: List[str]) -> List[bytes | str | None]:
        reply = await self.call("KV.MGET", *map(_bytes, keys))
        if not isinstance(reply, list) or len(reply) != len(keys):
            raise not_cubby("not as many values as keys")
        return [_optional_text(text) for text in reply]

    async def expire(self, key: str, ttl_ms: int) -> bool:
        if ttl_ms % 1000:
            return bool(_number(await self.call("PEXPIRE", _bytes(key), str(ttl_ms))))
        return bool(_number(await self.call("EXPIRE", _bytes(key), str(ttl_ms // 1000))))

    async def append_unique(self, key: str, items: bytes, id_key: str, ttl_ms: int | None) -> bytes | str:
        expiry = ["KEEPTTL"] if ttl_ms is None else _ttl(ttl_ms)
        return _some_text(await self.call("KV.APPENDUNIQUE", _bytes(key), items, "ID", _bytes(id_key), *expiry))

    async def pop_all(self, key: str) -> bytes | str:
        return _some_text(await self.call("KV.POPALL", _bytes(key)))

    async def purge(self, limit: int) -> int:
        return _number(await self.call("KV.PURGE", "LIMIT", str(limit)))

    async def usage(self) -> dict[str, Any]:
        fields = _fields(await self.call("KV.USAGE"))
        return {name: _str(value) if isinstance(value, bytes) else value for name, value in fields.items()}

    async def close(self) -> None:
        self._closed = True
        if self._pending:
            await asyncio.gather(*self._pending, return_exceptions=True)
        if self._owns and self._pool is not None:
            await self._pool.disconnect()

    async def call(self, *args: Any) -> Any:
        """Performs one command, once."""
        try:
            return await self._exchange(args)
        except exceptions.RedisError as e:
            raise _kv_error(e) from e
        except UnicodeDecodeError as e:  # a client with decode_responses=True
            raise KvError("wrong_type", f"a key or value is not UTF-8: {e}") from e
        except _BROKEN as e:
            raise _unreachable(e) from e

    async def _exchange(self, args: tuple[Any, ...]) -> Any:
        pool = self.pool()
        connection = await self._acquire(pool)
        try:
            await connection.send_command(*args)
            reply = await connection.read_response(disable_decoding=True)
        except exceptions.ResponseError:
            await self._release(pool, connection)
            raise
        except Exception:
            await asyncio.shield(self._later(_discard(pool, connection)))
            raise
        except BaseException:  # cancelled: nothing may hold that up
            self._later(_discard(pool, connection))
            raise
        await self._release(pool, connection)
        return reply

    def pool(self) -> Any:
        """The pool, which belongs to one event loop. A store of ours that outlives its loop gets a new one."""
        if self._closed:
            raise KvError("network_error", "the store is closed")
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise bad_input(
                    "this Kv is in use in another event loop",
                    "make one Kv for each event loop; EphemeralKv needs no such care",
                )
            if self._pool is None or self._owns:
                self._pool = self._make_pool()
                self._get_connection = _get_connection(self._pool)
            self._loop = loop
            self._pending.clear()
        return self._pool

    async def _acquire(self, pool: Any) -> Any:
        """A connection that is signed in. Connecting is never broken off: a pool would keep what is half signed in."""
        getting = asyncio.ensure_future(self._get_connection())
        try:
            return await asyncio.shield(getting)
        except asyncio.CancelledError:
            self._later(_unclaimed(pool, getting))
            raise

    async def _release(self, pool: Any, connection: Any) -> None:
        try:
            await pool.release(connection)
        except asyncio.CancelledError:
            self._later(_discard(pool, connection))
            raise

    def _later(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        return task


def _get_connection(pool: Any) -> Callable[[], Coroutine[Any, Any, Any]]:
    # Up to version 5.2 the name of the command is needed (and of no use); later ones warn of it.
    name = inspect.signature(pool.get_connection).parameters.get("command_name")
    if name is not None and name.default is inspect.Parameter.empty:
        return lambda: pool.get_connection("KV")  # type: ignore[no-any-return]
    return pool.get_connection  # type: ignore[no-any-return]


async def _unclaimed(pool: Any, getting: asyncio.Future[Any]) -> None:
    try:
        connection = await getting
    except (Exception, asyncio.CancelledError):  # nobody waits for it any more
        return
    await pool.release(connection)


async def _discard(pool: Any, connection: Any) -> None:
    try:
        await connection.disconnect()
    except (exceptions.RedisError, OSError):
        pass  # it is closed all the same
    try:
        await pool.release(connection)
    except KeyError:
        pass  # it was released already


def _kv_error(e: exceptions.RedisError) -> KvError:
    text = str(e)
    status = getattr(e, "status_code", None)  # the word that was taken off, in new versions
    if isinstance(status, str) and status:
        return from_reply(text, status)
    for kind, code in _CODE_OF.items():
        if isinstance(e, kind):
            return from_reply(text, code)
    if isinstance(e, exceptions.ResponseError):
        return from_reply(text)
    if isinstance(e, exceptions.DataError):
        return bad_input(text)
    return _unreachable(e)


def _unreachable(e: BaseException) -> KvError:
    # redis-py's own text often has a number and no reason.
    why = e.__context__ if isinstance(e.__context__, OSError) else e
    hint = "is it running there?" if "Connect call failed" in str(why) else None
    return KvError("network_error", f"the server did not answer: {str(why) or type(why).__name__}", hint)


def _bytes(text: str) -> bytes:
    # surrogateescape carries the bytes of a key that is not UTF-8.
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise bad_input("a key has half a surrogate pair, which UTF-8 cannot express") from None


def _str(text: Any) -> str:
    if isinstance(text, bytes):
        return text.decode(errors="surrogateescape")
    if isinstance(text, str):
        return text
    raise not_cubby(f"{type(text).__name__} for a text")


def _optional_text(reply: Any) -> bytes | str | None:
    return None if reply is None else _some_text(reply)


def _some_text(reply: Any) -> bytes | str:
    if isinstance(reply, (bytes, str)):
        return reply
    raise not_cubby(f"{type(reply).__name__} for a text")


def _number(reply: Any) -> int:
    if isinstance(reply, int):
        return reply
    raise not_cubby(f"{type(reply).__name__} for a number")


def _ttl(ttl_ms: int | None) -> List[str]:
    if ttl_ms is None:
        return []
    return ["PX", str(ttl_ms)] if ttl_ms % 1000 else ["TTL", str(ttl_ms // 1000)]


def _fields(reply: Any) -> dict[str, Any]:
    """Pairs, or the map that they are in RESP3."""
    if isinstance(reply, dict):
        return {_str(name): value for name, value in reply.items()}
    if isinstance(reply, list) and len(reply) % 2 == 0:
        return {_str(name): value for name, value in zip(reply[::2], reply[1::2])}
    raise not_cubby(f"{type(reply).__name__} for fields")


def _row(reply: Any) -> RawRow:
    fields = _fields(reply)
    try:
        return RawRow(
            _str(fields["key"]), fields.get("value"), fields["expires_at"], fields["updated_at"], fields["version"]
        )
    except KeyError as e:
        raise not_cubby(f"a row without {e}") from None
