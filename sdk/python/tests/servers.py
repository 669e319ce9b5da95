"""Servers for the tests: the real one in memory, and one that misbehaves as told."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]


def missing(what: str) -> None:
    """Skips, or fails where CUBBY_TEST_REQUIRE=1 promises that everything is there."""
    if os.environ.get("CUBBY_TEST_REQUIRE") == "1":
        raise AssertionError(f"{what}, and CUBBY_TEST_REQUIRE=1 forbids to skip")
    raise unittest.SkipTest(what)


_built: Path | None = None
_building = threading.Lock()


def binary() -> Path:
    """internal/sdkserver: the one that CUBBY_SDKSERVER names, or one that is built now."""
    global _built
    with _building:
        if named := os.environ.get("CUBBY_SDKSERVER"):
            return Path(named)
        if _built is None:
            if shutil.which("go") is None or not (REPOSITORY / "internal" / "sdkserver").is_dir():
                missing("needs CUBBY_SDKSERVER, or Go and the repository to build it")
            directory = tempfile.mkdtemp(prefix="cubby-sdkserver-")
            atexit.register(shutil.rmtree, directory, ignore_errors=True)
            _built = Path(directory) / "sdkserver"
            subprocess.run(["go", "build", "-o", _built, "./internal/sdkserver"], cwd=REPOSITORY, check=True)
        return _built


class Server:
    """A real server in memory, whose clock stands still."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [binary()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.address = self._read()["resp"]
        self.host, port = self.address.rsplit(":", 1)
        self.port = int(port)
        self._apps = 0

    def app(self, limits: dict[str, str] | None = None, name: str = "", **scope: Any) -> dict[str, Any]:
        """Makes an app, and returns what Kv.connect needs."""
        if not name:
            self._apps += 1
            name = f"t/a{self._apps}"
        made = self._ask({"do": "app", "name": name, "limits": limits or {}, "scope": scope})
        return {"host": self.host, "port": self.port, "app": made["user"], "token": made["token"]}

    def advance(self, seconds: float) -> None:
        self._ask({"do": "advance", "ms": round(seconds * 1000)})

    def now(self) -> float:
        return self._ask({"do": "now"})["now"] / 1000

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.stdin.close()
            self._process.wait()
        else:
            self._process.stdin.close()
        self._process.stdout.close()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the server ended")
        return json.loads(line)


Reply = Callable[[list[bytes], asyncio.StreamWriter], Awaitable["bytes | None"]]


class Misbehaving:
    """Speaks just enough RESP to be connected to; reply says what it does with a command.

    reply returns bytes to send, or None to hang up. AUTH and SELECT are answered
    with OK before reply sees them, unless auth is given.
    """

    def __init__(self, reply: Reply, auth: Reply | None = None) -> None:
        self._reply, self._auth = reply, auth
        self.commands: list[list[bytes]] = []
        self.connections = 0
        self._tasks: set[Any] = set()

    async def __aenter__(self) -> Misbehaving:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            while command := await _command(reader):
                if command[0] in (b"AUTH", b"SELECT", b"CLIENT", b"HELLO"):
                    answer = await self._auth(command, writer) if self._auth else b"+OK\r\n"
                else:
                    self.commands.append(command)
                    answer = await self._reply(command, writer)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)


async def _command(reader: asyncio.StreamReader) -> list[bytes] | None:
    head = await reader.readline()
    if not head:
        return None
    args = []
    for _ in range(int(head[1:])):
        size = int((await reader.readline())[1:])
        args.append((await reader.readexactly(size + 2))[:-2])
    return args


def bulk(text: str) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(text.encode()), text.encode())
