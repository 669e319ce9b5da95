"""A store for tests."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, cast

from .base import BaseKv
from .errors import KvError, bad_input
from .memory import YEAR, Limits, MemoryBackend
from .store import Backend, Seconds


class MockKv(BaseKv):
    """A store for tests, in plain memory, as strict as the server.

    Keys, TTLs and values are judged as the server does; ``max_keys`` and
    ``value_bytes`` are off unless given. The TTL bounds are those of persistent
    entries; ``MockKv(ttl_min=0.001)`` has those of ephemeral ones.

    The clock stands still until the test moves it::

        mock = MockKv()
        await mock.set("code", 1234, ttl_seconds=60)
        mock.advance(61)
        assert await mock.get("code") is None

    and any call can be made to fail::

        mock.fail_next("network_error")
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        max_keys: int | None = None,
        value_bytes: int | None = None,
        ttl_min: Seconds = 60,
        ttl_max: Seconds | None = YEAR,
        now: float | None = None,
    ) -> None:
        self._mock = _MockBackend(Limits.of(max_keys, value_bytes, ttl_min, ttl_max), now)
        super().__init__(cast(Backend, self._mock), prefix)

    def advance(self, seconds: Seconds) -> None:
        """Moves the clock on."""
        if seconds < 0:
            raise bad_input("the clock moves forward only")
        self._mock.advance(round(seconds * 1000))

    @property
    def now(self) -> float:
        """The clock, in Unix seconds. It begins at the real time, or at ``now``."""
        return self._mock.now_ms / 1000

    def fail_next(
        self,
        code: str = "network_error",
        message: str = "the test wanted this",
        hint: str | None = None,
        *,
        times: int = 1,
        performed: bool = False,
    ) -> None:
        """Lets the next ``times`` calls that reach the store raise ``KvError(code, message, hint)``.

        They change nothing, unless ``performed``: then only the answer is lost,
        as when a connection breaks behind a request. Several calls of
        ``fail_next`` queue up.
        """
        self._mock.fail(KvError(code, message, hint), times, performed)


class _MockBackend:
    """MemoryBackend with a clock that stands still, and failures on order."""

    def __init__(self, limits: Limits, now: float | None) -> None:
        self.now_ms = round((time.time() if now is None else now) * 1000)
        self._memory = MemoryBackend(limits, lambda: self.now_ms)
        self._lock = threading.Lock()
        self._orders: list[tuple[KvError, bool]] = []

    def advance(self, ms: int) -> None:
        with self._lock:
            self.now_ms += ms

    def fail(self, error: KvError, times: int, performed: bool) -> None:
        with self._lock:
            self._orders.extend([(error, performed)] * times)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        perform = getattr(self._memory, name)

        async def call(*args: Any) -> Any:
            with self._lock:
                order = self._orders.pop(0) if self._orders and name != "close" else None
            if order is None:
                return await perform(*args)
            error, performed = order
            if performed:
                await perform(*args)
            raise KvError(error.code, error.message, error.hint)

        return call
