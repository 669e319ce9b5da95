"""A store on a server."""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio

from .base import BaseKv
from .errors import bad_input
from .resp import RespBackend

_CONNECTIONS = 32
_TIMEOUT = 5.0


class Kv(BaseKv):
    """The entries of one app on a Cubby server.

    ::

        async with Kv.from_url("redis://tenant%2Fapp:TOKEN@localhost:6379/0") as kv:
            await kv.set("greeting", {"text": "hello"}, ttl_seconds=60)

    Nothing is connected before the first call, and nothing is ever sent twice: a
    connection that broke shows as ``network_error``, and the next call connects
    anew. A call that is cancelled leaves no trace on later ones.

    A Kv belongs to one event loop at a time.
    """

    def __init__(self, client: redis.asyncio.Redis, *, prefix: str = "") -> None:
        """A store over the connections of an existing client of ``redis.asyncio``.

        The client is signed in as the app, decodes responses or not, and says how
        long to wait (``socket_timeout``). It is closed by whoever made it.
        """
        if not isinstance(client, redis.asyncio.Redis):
            raise bad_input(
                f"Kv needs a client of redis.asyncio, not {type(client).__module__}.{type(client).__name__}",
                "Kv.from_url and Kv.connect make their own",
            )
        super().__init__(RespBackend(lambda: client.connection_pool, owns=False), prefix)

    @classmethod
    def from_url(cls, url: str, *, prefix: str = "", timeout: float | None = _TIMEOUT, **options: Any) -> Kv:
        """A store with connections of its own.

        The URL is ``redis://tenant%2Fapp:TOKEN@host:port/database``; ``rediss://``
        is with TLS, ``unix://`` a socket file. The app may be left out, as the
        token names it: ``redis://:TOKEN@host``. Database 0 is persistent, 1
        ephemeral.

        ``timeout`` is how many seconds to wait for a connection and for an answer;
        None is for ever. ``options`` are those of redis-py's connections:
        ``ssl_ca_certs``, ``client_name``, ``health_check_interval``, ``protocol``.
        """
        return cls._of_url(url, None, {"prefix": prefix, "timeout": timeout, **options})

    @classmethod
    def connect(
        cls,
        *,
        host: str = "localhost",
        port: int = 6379,
        app: str | None = None,
        token: str | None = None,
        database: int = 0,
        tls: bool = False,
        prefix: str = "",
        timeout: float | None = _TIMEOUT,
        **options: Any,
    ) -> Kv:
        """``from_url`` for the parts of a URL. ``app`` is ``tenant/app``.

        Without a token it is for ``cubby serve --dev``.
        """
        where = {"host": host, "port": port, "username": app, "password": token, **options}
        where |= {"prefix": prefix, "timeout": timeout}
        return cls._of_url("rediss://" if tls else "redis://", database, where)

    @classmethod
    def _of_url(cls, url: str, database: int | None, options: dict[str, Any]) -> Kv:
        """``from_url``, with another database than the one that the URL may name."""
        options = dict(options)
        prefix, timeout = options.pop("prefix", ""), options.pop("timeout", _TIMEOUT)
        settings = {
            "max_connections": _CONNECTIONS,
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            **options,
        }
        if url.startswith("rediss:"):
            settings.setdefault("ssl_check_hostname", True)  # not the default before redis-py 6

        def make_pool() -> Any:
            # Callers beyond max_connections wait for their turn, which comes: each answer has its time-out.
            pool = redis.asyncio.BlockingConnectionPool.from_url(url, timeout=None, **settings)
            if database is not None:
                pool.connection_kwargs["db"] = database
            return pool

        try:
            make_pool()
        except ValueError as e:
            raise bad_input(f"the URL is not right: {e}", "redis://tenant%2Fapp:TOKEN@host:port/0") from None
        kv = cls.__new__(cls)
        BaseKv.__init__(kv, RespBackend(make_pool, owns=True), prefix)
        return kv

    @property
    def client(self) -> redis.asyncio.Redis:
        """A client of redis-py over the same connections, for whatever else the app needs: counters, pub/sub."""
        backend = self._backend
        assert isinstance(backend, RespBackend)
        return redis.asyncio.Redis(connection_pool=backend.pool())
