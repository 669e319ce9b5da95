"""A store in the process itself."""

from __future__ import annotations

import base64
import binascii
import bisect
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any, List, NamedTuple

from .base import BaseKv
from .errors import KvError, bad_input
from .jsontext import decode, encode, identity
from .store import RawRow, Seconds

YEAR = 31_536_000
"""The longest TTL by default, in seconds."""

_KEY_BYTES = 256
_LIST_MAX = 1000
_PURGE_MAX = 10_000
_SWEEP_AT = 1024


class EphemeralKv(BaseKv):
    """A store in this process, gone when it ends.

    It has the methods of ``Kv`` and its checks of keys and TTLs, and may be used
    from several threads and event loops at once: no method waits for anything.

    Limits, None for none: ``max_keys`` live keys (``cap_reached``), ``value_bytes``
    of JSON text in a value (``size_exceeded``), a TTL from ``ttl_min`` to
    ``ttl_max`` seconds (``bad_input``). A prefix is put before every key and
    taken off in listings; ``with_prefix`` makes stores that share the entries.

    Expired entries are never seen. Their memory is freed by ``purge_expired``,
    and now and then while new keys are added.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        max_keys: int | None = None,
        value_bytes: int | None = None,
        ttl_min: Seconds = 0.001,
        ttl_max: Seconds | None = YEAR,
    ) -> None:
        limits = Limits.of(max_keys, value_bytes, ttl_min, ttl_max)
        super().__init__(MemoryBackend(limits, _wall_clock), prefix)


class Limits(NamedTuple):
    """What a store in memory allows; durations are milliseconds, None is no limit."""

    max_keys: int | None
    value_bytes: int | None
    ttl_min: int
    ttl_max: int | None

    @classmethod
    def of(
        cls, max_keys: int | None, value_bytes: int | None, ttl_min: Seconds, ttl_max: Seconds | None
    ) -> Limits:
        """Limits with durations in seconds."""
        return cls(max_keys, value_bytes, round(ttl_min * 1000), None if ttl_max is None else round(ttl_max * 1000))


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


class _Entry(NamedTuple):
    text: bytes
    expires_at: int | None
    updated_at: int
    version: int

    def live(self, now: int) -> bool:
        return self.expires_at is None or now < self.expires_at


class MemoryBackend:
    """Entries in a dict, under one lock. clock tells Unix milliseconds."""

    def __init__(self, limits: Limits, clock: Callable[[], int]) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._order: List[str] | None = []  # the keys sorted; None when they have changed
        self._versions = itertools.count(1)
        self._sweep_at = _SWEEP_AT
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        _check_key(key)
        with self._lock:
            entry = self._live(key, self._now())
            return None if entry is None else entry.text

    async def set(self, key: str, text: bytes, ttl_ms: int | None) -> None:
        await self.mset([(key, text)], ttl_ms)

    async def mset(self, pairs: List[tuple[str, bytes]], ttl_ms: int | None) -> None:
        for key, _ in pairs:
            _check_key(key)
        self._check_ttl(ttl_ms)
        for _, text in pairs:
            self._check_value(text)
        with self._lock:
            now = self._now()
            self._check_growth((key for key, _ in pairs), now)
            for key, text in pairs:
                self._put(key, text, None if ttl_ms is None else now + ttl_ms, now)

    async def mget(self, keys: List[str]) -> List[bytes | str | None]:
        for key in keys:
            _check_key(key)
        with self._lock:
            now = self._now()
            entries = [self._live(key, now) for key in keys]
        return [None if entry is None else entry.text for entry in entries]

    async def delete(self, key: str) -> bool:
        _check_key(key)
        with self._lock:
            if self._live(key, self._now()) is None:
                return False
            self._remove(key)
            return True

    async def list(
        self, prefix: str, limit: int, include_values: bool, cursor: str | None
    ) -> tuple[List[RawRow], str | None]:
        last = None if cursor is None else _read_cursor(cursor)
        limit = min(limit, _LIST_MAX)
        rows: List[RawRow] = []
        with self._lock:
            now = self._now()
            if self._order is None:
                self._order = sorted(self._entries)
            for key in itertools.islice(self._order, _first(self._order, prefix, last), None):
                if not key.startswith(prefix):
                    break
                entry = self._live(key, now)
                if entry is None:
                    continue
                if len(rows) == limit:
                    return rows, _write_cursor(rows[-1].key)
                text = entry.text if include_values else None
                rows.append(RawRow(key, text, entry.expires_at, entry.updated_at, entry.version))
        return rows, None

    async def expire(self, key: str, ttl_ms: int) -> bool:
        _check_key(key)
        with self._lock:
            now = self._now()
            entry = self._live(key, now)
            if entry is None:
                return False
            if ttl_ms <= 0:
                self._remove(key)
                return True
            self._check_ttl(ttl_ms)
            self._put(key, entry.text, now + ttl_ms, now)
            return True

    async def append_unique(self, key: str, items: bytes, id_key: str, ttl_ms: int | None) -> bytes:
        _check_key(key)
        self._check_ttl(ttl_ms)
        new = _new_items(decode(items), id_key)
        with self._lock:
            now = self._now()
            entry = self._live(key, now)
            stored = [] if entry is None else decode(entry.text)
            if not isinstance(stored, list) or not all(isinstance(item, dict) for item in stored):
                raise KvError("wrong_type", "value is not a JSON array of objects, it is not changed")
            for item in stored:
                new.pop(_item_id(item, id_key), None)
            text = encode(stored + list(new.values()))
            self._check_value(text)
            self._check_growth([key], now)
            expires_at = None if entry is None else entry.expires_at
            self._put(key, text, expires_at if ttl_ms is None else now + ttl_ms, now)
            return text

    async def pop_all(self, key: str) -> bytes:
        _check_key(key)
        with self._lock:
            entry = self._live(key, self._now())
            if entry is None:
                return b"[]"
            if not entry.text.startswith(b"["):
                raise KvError("wrong_type", "value is not a JSON array, it is kept")
            self._remove(key)
            return entry.text

    async def purge(self, limit: int) -> int:
        with self._lock:
            now = self._now()
            return self._purge(now, min(limit, _PURGE_MAX))

    async def usage(self) -> dict[str, Any]:
        with self._lock:
            now = self._now()
            live = [(key, entry) for key, entry in self._entries.items() if entry.live(now)]
        return {
            "keys": len(live),
            "bytes": sum(len(key) + len(entry.text) for key, entry in live),
            "key-bytes": _KEY_BYTES,
            "key-charset": "printable",
            "value-bytes": self._limits.value_bytes,
            "max-keys": self._limits.max_keys,
            "max-bytes": None,
            "ttl-min-ms": self._limits.ttl_min,
            "ttl-max-ms": self._limits.ttl_max,
        }

    async def close(self) -> None:
        with self._lock:
            self._closed = True
            self._entries.clear()
            self._order = None

    # Below, the lock is held.

    def _now(self) -> int:
        if self._closed:
            raise KvError("network_error", "the store is closed")
        return self._clock()

    def _live(self, key: str, now: int) -> _Entry | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry.live(now) else None

    def _put(self, key: str, text: bytes, expires_at: int | None, now: int) -> None:
        if key not in self._entries:
            self._order = None
        self._entries[key] = _Entry(text, expires_at, now, next(self._versions))

    def _remove(self, key: str) -> None:
        del self._entries[key]
        self._order = None

    def _purge(self, now: int, limit: int | None) -> int:
        ended = [(e.expires_at, e.version, key) for key, e in self._entries.items() if e.expires_at and not e.live(now)]
        ended.sort()
        for _, _, key in ended[:limit]:
            self._remove(key)
        return len(ended[:limit])

    def _check_growth(self, keys: Any, now: int) -> None:
        """Refuses keys that would be too many, and sweeps when there are twice as many entries as last time."""
        adds = len({key for key in keys if self._live(key, now) is None})
        cap = self._limits.max_keys
        if not adds:
            return
        if len(self._entries) + adds > self._sweep_at:
            self._purge(now, None)
            self._sweep_at = max(_SWEEP_AT, 2 * (len(self._entries) + adds))
        if cap is None or len(self._entries) + adds <= cap:
            return
        held = sum(entry.live(now) for entry in self._entries.values())
        if held + adds > cap:
            raise KvError(
                "cap_reached",
                f"the store holds {held} of {cap} keys; {adds} more are refused",
                "delete unused keys or set a TTL",
            )

    # These need no lock.

    def _check_value(self, text: bytes) -> None:
        most = self._limits.value_bytes
        if most is not None and len(text) > most:
            raise KvError("size_exceeded", f"the value is {len(text)} bytes; at most {most} are allowed")

    def _check_ttl(self, ttl_ms: int | None) -> None:
        least, most = self._limits.ttl_min, self._limits.ttl_max
        if ttl_ms is None or least <= ttl_ms and 0 < ttl_ms and (most is None or ttl_ms <= most):
            return
        if most is None:
            raise bad_input(f"the TTL of {_span(ttl_ms)} is too short; at least {_span(least)} is allowed")
        raise bad_input(f"the TTL of {_span(ttl_ms)} is out of bounds; allowed are {_span(least)} to {_span(most)}")


def _check_key(key: str) -> None:
    if key.isascii() and 0 < len(key) <= _KEY_BYTES and key.isprintable() and " " not in key:
        return
    raw = key.encode(errors="surrogatepass")
    if not 0 < len(raw) <= _KEY_BYTES:
        raise bad_input(f"the key is {len(raw)} bytes long; 1 to {_KEY_BYTES} are allowed")
    for at, byte in enumerate(raw):
        if not 0x21 <= byte <= 0x7E:
            raise bad_input(
                f"the key has byte 0x{byte:02X} at position {at}; "
                "allowed are 0x21 to 0x7E (printable ASCII without blanks)"
            )


def _span(ms: int) -> str:
    return f"{ms // 1000} s" if ms % 1000 == 0 else f"{ms} ms"


def _new_items(items: Any, id_key: str) -> dict[Any, Any]:
    """The first item of each id."""
    new: dict[Any, Any] = {}
    for n, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise bad_input(f"item {n} is not an object")
        if item.get(id_key) is None:
            raise bad_input(f'item {n} has no "{id_key}"')
        new.setdefault(_item_id(item, id_key), item)
    return new


def _item_id(item: dict[str, Any], id_key: str) -> Any:
    try:
        return identity(item.get(id_key))
    except RecursionError:
        raise bad_input(f'an "{id_key}" is nested too deeply') from None


def _first(order: List[str], prefix: str, last: str | None) -> int:
    """Where a page begins that has prefix and comes behind the key last."""
    if last is not None and last >= prefix:
        return bisect.bisect_right(order, last)
    return bisect.bisect_left(order, prefix)


# A cursor is the last key of its page, so it needs no memory. It is encoded for
# nobody to build on what is in it.


def _write_cursor(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _read_cursor(cursor: str) -> str:
    try:
        last = base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        last = ""
    if not last or _write_cursor(last) != cursor:
        raise bad_input("the cursor is not one that list returned", "pass page.cursor as it is, or None to start")
    return last
