"""The methods of every store, over a backend."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, List, TypeVar

from .errors import KvError, bad_input, not_cubby
from .jsontext import decode, encode
from .store import Backend, Page, RawRow, Row, Seconds

_Self = TypeVar("_Self", bound="BaseKv")


class BaseKv:
    """JSON values under keys.

    Values are what JSON can express: dict with str keys, list, str, int, float,
    bool and None. They are copied on the way in and out, a tuple comes back as a
    list, and whole numbers of any size stay exact. Keys are 1 to 256 printable
    ASCII characters without blanks, unless the app's limits say otherwise.

    TTLs are seconds, as int or float. ``ttl_seconds`` and ``ttl_s`` are two names
    for the same thing.

    All methods raise ``KvError``.
    """

    def __init__(self, backend: Backend, prefix: str = "") -> None:
        self._backend = backend
        self._prefix = _text(prefix, "the prefix")

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or ``default`` for a missing one. A stored null is None."""
        text = await self._backend.get(self._key(key))
        return default if text is None else _decode(text)

    async def set(
        self, key: str, value: Any, *, ttl_seconds: Seconds | None = None, ttl_s: Seconds | None = None
    ) -> None:
        """Stores a value. Without a TTL it stays, also when it replaces one that had a TTL."""
        ttl = _milliseconds(ttl_seconds, ttl_s)
        await self._backend.set(self._key(key), encode(value), ttl)

    async def delete(self, key: str) -> bool:
        """Deletes a key and tells whether there was one."""
        return await self._backend.delete(self._key(key))

    async def list(
        self, prefix: str = "", *, limit: int = 100, include_values: bool = True, cursor: str | None = None
    ) -> Page:
        """The entries whose keys begin with ``prefix``, in the order of their keys.

        A page has at most ``limit`` rows; above 1000 is 1000. It may be shorter
        and not the last: ``page.cursor``, None at the end, goes into the next
        call. ``include_values=False`` leaves the values out.
        """
        prefix = self._prefix + _text(prefix, "the prefix")
        limit = _whole(limit, "limit")
        if cursor is not None:
            _text(cursor, "the cursor")
        rows, after = await self._backend.list(prefix, limit, include_values, cursor)
        return Page([self._row(row, include_values) for row in rows], after)

    async def iterate(self, prefix: str = "", *, include_values: bool = True) -> AsyncIterator[Row]:
        """All rows of ``list``, page by page. What is written meanwhile may or may not appear."""
        cursor: str | None = None
        while True:
            page = await self.list(prefix, limit=1000, include_values=include_values, cursor=cursor)
            for row in page:
                yield row
            cursor = page.cursor
            if cursor is None:
                return

    async def mset(
        self, kv: Mapping[str, Any], *, ttl_s: Seconds | None = None, ttl_seconds: Seconds | None = None
    ) -> None:
        """Stores several values, all or none."""
        ttl = _milliseconds(ttl_seconds, ttl_s)
        if not isinstance(kv, Mapping):
            raise bad_input(f"mset takes a dict, not {type(kv).__name__}")
        pairs = [(self._key(key), encode(value, f"the value of {key!r}")) for key, value in kv.items()]
        if pairs:
            await self._backend.mset(pairs, ttl)

    async def mget(self, keys: Iterable[str], *, default: Any = None) -> List[Any]:
        """The values of several keys in their order, ``default`` for a missing one."""
        wanted = [self._key(key) for key in _several(keys, "mget takes a list of keys")]
        if not wanted:
            return []
        texts = await self._backend.mget(wanted)
        return [default if text is None else _decode(text) for text in texts]

    async def expire(
        self, key: str, ttl_s: Seconds | None = None, *, ttl_seconds: Seconds | None = None
    ) -> bool:
        """Gives a key a new TTL and tells whether there is such a key. A TTL of 0 or less deletes it."""
        ttl = _milliseconds(ttl_seconds, ttl_s)
        if ttl is None:
            raise bad_input("expire needs a TTL")
        return await self._backend.expire(self._key(key), ttl)

    async def list_append_unique(
        self,
        key: str,
        items: Iterable[Mapping[str, Any]],
        *,
        id_key: str = "id",
        ttl_s: Seconds | None = None,
        ttl_seconds: Seconds | None = None,
    ) -> List[Any]:
        """Appends dicts to the list under a key, less those whose ``id_key`` it has already.

        Returns the updated list. A missing key is an empty list. Without a TTL the
        key keeps the one that it has. Of several items with one id the first counts.
        """
        ttl = _milliseconds(ttl_seconds, ttl_s)
        text = encode(_several(items, "the items must be a list of dicts"), "the list of items")
        updated = await self._backend.append_unique(self._key(key), text, _text(id_key, "id_key"), ttl)
        return _decode_list(updated)

    async def list_pop_all(self, key: str) -> List[Any]:
        """The list under a key, which is gone then; [] for a missing key.

        It is one step: of several callers one gets the items. It is never
        repeated by itself, so after ``network_error`` the items may be lost with
        the answer.
        """
        return _decode_list(await self._backend.pop_all(self._key(key)))

    async def purge_expired(self, limit: int = 1000) -> int:
        """Removes up to ``limit`` expired entries from memory, the oldest first, and returns how many.

        Expired entries are never seen and count for no limit, so this is about
        memory only. It is about all keys, whatever the prefix.
        """
        return await self._backend.purge(_whole(limit, "limit"))

    async def usage(self) -> dict[str, Any]:
        """How much is stored and which limits are in force, by the names of ``KV.USAGE``.

        It is about all keys, whatever the prefix. None is no limit.
        """
        return await self._backend.usage()

    def with_prefix(self: _Self, prefix: str) -> _Self:
        """The same store, with another prefix before its own keys.

        A prefix is put before every key and taken off in listings. That is for
        order, it is no protection.
        """
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._prefix = self._prefix + _text(prefix, "the prefix")
        return other

    async def aclose(self) -> None:
        """Ends the store, and with it those made by ``with_prefix``."""
        await self._backend.close()

    close = aclose

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _key(self, key: str) -> str:
        return self._prefix + _text(key, "the key")

    def _row(self, raw: RawRow, include_value: bool) -> Row:
        key = raw.key.removeprefix(self._prefix)
        row: Row = {
            "key": key,
            "expires_at": None if raw.expires_at is None else _iso(raw.expires_at),
            "updated_at": _iso(raw.updated_at),
            "version": raw.version,
        }
        if include_value:
            try:
                row["value"] = decode(raw.text or "")
            except ValueError:
                raise KvError(
                    "wrong_type",
                    f"the value of {key!r} is not JSON",
                    "another client has set it; include_values=False lists the keys",
                ) from None
        return row


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise bad_input(f"{what} must be str, not {type(value).__name__}")
    return value


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_input(f"{what} must be int, not {type(value).__name__}")
    if value < 1:
        raise bad_input(f"{what} is less than 1")
    return min(value, _MOST)


def _several(values: Any, rule: str) -> List[Any]:
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise bad_input(f"{rule}, not {type(values).__name__}")
    return list(values)


def _milliseconds(ttl_seconds: Any, ttl_s: Any) -> int | None:
    """The TTL that one of the two names gives."""
    if ttl_seconds is not None and ttl_s is not None:
        raise bad_input("ttl_seconds and ttl_s are the same thing: give one of them")
    ttl = ttl_s if ttl_seconds is None else ttl_seconds
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)):
        raise bad_input(f"a TTL is a number of seconds, int or float, not {type(ttl).__name__}")
    ms = ttl * 1000
    if isinstance(ms, float) and not math.isfinite(ms) or abs(ms) > _MOST:
        raise bad_input("a TTL of that many seconds is not possible")
    return round(ms)


_MOST = 2**63 - 1  # of the server's numbers


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LAST = "9999-12-31T23:59:59.999Z"


def _iso(ms: int) -> str:
    try:
        moment = _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:  # beyond the year 9999, which an app without a highest TTL may reach
        return _LAST
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _decode(text: bytes | str) -> Any:
    try:
        return decode(text)
    except ValueError as e:
        raise not_cubby(f"not JSON ({e})") from None


def _decode_list(text: bytes | str) -> List[Any]:
    value = _decode(text)
    if not isinstance(value, list):
        raise not_cubby("not a list")
    return value
