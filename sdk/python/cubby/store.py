"""What all stores have in common, as types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, List, NamedTuple, Protocol, TypedDict, Union

Seconds = Union[int, float]
"""A TTL. Fractions are rounded to milliseconds."""


class _RowWithoutValue(TypedDict):
    key: str
    expires_at: str | None
    updated_at: str
    version: int


class Row(_RowWithoutValue, total=False):
    """An entry in a listing, a plain dict.

    Times are ISO 8601 in UTC with milliseconds (``2026-11-22T12:00:00.000Z``);
    ``expires_at`` is None for an entry without a TTL. ``version`` changes with
    each write. ``value`` is left out with ``include_values=False``.
    """

    value: Any


class Page(List[Row]):
    """A part of a listing: a list of rows, and where the next part begins."""

    cursor: str | None
    """Goes into the next call of ``list``; None at the end."""

    def __init__(self, rows: Iterable[Row] = (), cursor: str | None = None) -> None:
        super().__init__(rows)
        self.cursor = cursor


class KvStore(Protocol):
    """The methods of every store: ``Kv``, ``EphemeralKv``, ``MockKv``.

    They are described at ``BaseKv``. Code that takes a ``KvStore`` runs on any
    of them.
    """

    async def get(self, key: str, default: Any = None) -> Any: ...

    async def set(
        self, key: str, value: Any, *, ttl_seconds: Seconds | None = None, ttl_s: Seconds | None = None
    ) -> None: ...

    async def delete(self, key: str) -> bool: ...

    async def list(
        self, prefix: str = "", *, limit: int = 100, include_values: bool = True, cursor: str | None = None
    ) -> Page: ...

    def iterate(self, prefix: str = "", *, include_values: bool = True) -> AsyncIterator[Row]: ...

    async def mset(
        self, kv: Mapping[str, Any], *, ttl_s: Seconds | None = None, ttl_seconds: Seconds | None = None
    ) -> None: ...

    async def mget(self, keys: Iterable[str], *, default: Any = None) -> List[Any]: ...

    async def expire(
        self, key: str, ttl_s: Seconds | None = None, *, ttl_seconds: Seconds | None = None
    ) -> bool: ...

    async def list_append_unique(
        self,
        key: str,
        items: Iterable[Mapping[str, Any]],
        *,
        id_key: str = "id",
        ttl_s: Seconds | None = None,
        ttl_seconds: Seconds | None = None,
    ) -> List[Any]: ...

    async def list_pop_all(self, key: str) -> List[Any]: ...

    async def purge_expired(self, limit: int = 1000) -> int: ...

    async def usage(self) -> dict[str, Any]: ...

    def with_prefix(self, prefix: str) -> KvStore: ...

    async def aclose(self) -> None: ...


class RawRow(NamedTuple):
    """A row as backends have it: times in Unix milliseconds, the value as text."""

    key: str
    text: bytes | str | None
    expires_at: int | None
    updated_at: int
    version: int


class Backend(Protocol):
    """Where a store's entries are. Values are JSON text, TTLs milliseconds, keys
    whole, with the prefix. Raises KvError."""

    async def get(self, key: str) -> bytes | str | None: ...

    async def set(self, key: str, text: bytes, ttl_ms: int | None) -> None: ...

    async def delete(self, key: str) -> bool: ...

    async def list(
        self, prefix: str, limit: int, include_values: bool, cursor: str | None
    ) -> tuple[List[RawRow], str | None]: ...

    async def mset(self, pairs: List[tuple[str, bytes]], ttl_ms: int | None) -> None: ...

    async def mget(self, keys: List[str]) -> List[bytes | str | None]: ...

    async def expire(self, key: str, ttl_ms: int) -> bool: ...

    async def append_unique(self, key: str, items: bytes, id_key: str, ttl_ms: int | None) -> bytes | str: ...

    async def pop_all(self, key: str) -> bytes | str: ...

    async def purge(self, limit: int) -> int: ...

    async def usage(self) -> dict[str, Any]: ...

    async def close(self) -> None: ...
