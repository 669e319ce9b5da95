"""RESP3 for the tests, also with versions of redis-py that do not know it."""

from __future__ import annotations

import inspect
from typing import Any

import redis.asyncio
from redis.asyncio import connection


def options(app: str, token: str) -> dict[str, Any]:
    """What makes a connection of redis-py speak RESP3."""
    kind = getattr(connection, "AbstractConnection", connection.Connection)
    if "protocol" in inspect.signature(kind).parameters:
        return {"protocol": 3, "username": app, "password": token}

    async def hello(conn: Any) -> None:
        conn._parser.on_connect(conn)
        await conn.send_command("HELLO", "3", "AUTH", app, token, check_health=False)
        assert (await conn.read_response())["proto"] == 3

    return {"parser_class": _Parser, "redis_connect_func": hello, "decode_responses": True}


if hasattr(connection, "PythonParser"):

    class _Parser(connection.PythonParser):
        """The parser of redis-py 4, with what RESP3 adds."""

        async def read_response(self, disable_decoding: bool = False) -> Any:
            if not self._buffer:
                raise redis.ConnectionError("closed")
            line = await self._buffer.readline()
            kind, rest = line[:1], line[1:]
            if kind == b"_":
                return None
            if kind == b"#":
                return rest == b"t"
            if kind == b"%":
                pairs = [
                    (await self.read_response(disable_decoding), await self.read_response(disable_decoding))
                    for _ in range(int(rest))
                ]
                return dict(pairs)
            if kind == b"*":
                return [await self.read_response(disable_decoding) for _ in range(int(rest))]
            if kind == b":":
                return int(rest)
            if kind == b"-":
                return self.parse_error(rest.decode())
            text = await self._buffer.read(int(rest)) if kind == b"$" else rest
            return text if disable_decoding else text.decode()
