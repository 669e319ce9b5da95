"""Both stores of an app in one object, and stores by configuration."""

from __future__ import annotations

from typing import Any, TypeVar

from .base import BaseKv
from .errors import bad_input
from .kv import Kv
from .memory import EphemeralKv

_Self = TypeVar("_Self", bound="Context")


class ContextKv(BaseKv):
    """The persistent store of a Context; called, it returns the ephemeral one."""

    def __init__(self, persistent: BaseKv, ephemeral: BaseKv) -> None:
        super().__init__(persistent._backend, persistent._prefix)
        self._ephemeral = ephemeral

    def __call__(self, *, prefix: str = "") -> BaseKv:
        """The ephemeral store, whose keys all get the prefix. Calls with the same prefix share their keys."""
        return self._ephemeral.with_prefix(prefix)

    async def aclose(self) -> None:
        await super().aclose()
        await self._ephemeral.aclose()

    close = aclose


class Context:
    """What an app is handed: a persistent and an ephemeral store.

    ::

        async with Context.from_config("redis://tenant%2Fapp:TOKEN@localhost:6379") as context:
            await context.kv.set("profile", {"name": "Ada"})            # persistent: database 0
            await context.kv(prefix="jobs:").set("1", "new", ttl_s=5)   # ephemeral: database 1

    ``Context(MockKv(), MockKv(ttl_min=0.001))`` is one for tests.
    """

    kv: ContextKv

    def __init__(self, persistent: BaseKv, ephemeral: BaseKv) -> None:
        self.kv = ContextKv(persistent, ephemeral)

    @classmethod
    def from_config(cls: type[_Self], config: str, **options: Any) -> _Self:
        """The stores that a configuration names: see ``cubby.from_config``. A database in a URL is of no account."""
        if _is_memory(config, options):
            return cls(EphemeralKv(), EphemeralKv())
        persistent, ephemeral = (Kv._of_url(config, database, options) for database in (0, 1))
        return cls(persistent, ephemeral)

    async def aclose(self) -> None:
        """Ends both stores."""
        await self.kv.aclose()

    close = aclose

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def from_config(config: str, **options: Any) -> BaseKv:
    """The store that a configuration names.

    ``memory:`` is an ``EphemeralKv`` in this process. Everything else is a URL for
    ``Kv.from_url``, which takes the options.
    """
    if _is_memory(config, options):
        return EphemeralKv()
    return Kv.from_url(config, **options)


def _is_memory(config: str, options: dict[str, Any]) -> bool:
    if config != "memory:":
        return False
    if options:
        raise bad_input(f"a store in memory has no {', '.join(options)}")
    return True
