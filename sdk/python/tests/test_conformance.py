"""The cases that every SDK passes, on every store."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import unittest
from datetime import datetime
from typing import Any

import redis.asyncio
from redis.asyncio import connection

from cubby import EphemeralKv, Kv, KvError, MockKv, Page

from . import resp3
from .servers import REPOSITORY, Server, missing

CASES = REPOSITORY / "sdk" / "conformance" / "cases.json"
MISSING = object()


class Cases:
    """Runs each case on a new store. Subclasses make the stores."""

    kind = "server"
    name: str | None = None  # in CUBBY_CONFORMANCE_OUT

    async def test_cases(self) -> None:
        if not CASES.exists():
            missing(f"needs {CASES}")
        passed: dict[str, bool] = {}
        for case in json.loads(CASES.read_text("utf-8"))["cases"]:
            if self.kind not in case.get("on", ["server", "local"]):
                continue
            passed[case["name"]] = False
            with self.subTest(case["name"]):
                kv = await self.open(case.get("limits", {}))
                try:
                    await Run(self, kv).steps(case["steps"])
                finally:
                    await kv.aclose()
                passed[case["name"]] = True
        self.assertGreater(len(passed), 10)
        report(self.name, passed)

    async def together(self, calls: list[Any]) -> list[Any]:
        return await asyncio.gather(*(call() for call in calls))


def report(store: str | None, passed: dict[str, bool]) -> None:
    path = os.environ.get("CUBBY_CONFORMANCE_OUT")
    if not path or store is None:
        return
    results = {}
    if os.path.exists(path) and os.path.getsize(path):
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**results, store: passed}, file, indent=1)


class Run:
    """One case on one store."""

    def __init__(self, test: Any, kv: Any) -> None:
        self.test, self.kv = test, kv
        self.cursor: str | None = None

    async def steps(self, steps: list[dict[str, Any]]) -> None:
        for step in steps:
            step = expand(step)
            if "advance" in step:
                self.test.advance(step["advance"])
            elif "together" in step:
                await self.together(step)
            else:
                await self.step(step)

    async def together(self, step: dict[str, Any]) -> None:
        (inner,) = step["steps"]
        results = await self.test.together([lambda: self.call(inner)] * step["together"])
        if "union" in step:
            items = [item for result in results for item in result]
            self.test.assertCountEqual(items, step["union"])

    async def step(self, step: dict[str, Any]) -> None:
        if "error" in step:
            with self.test.assertRaises(KvError, msg=step) as raised:
                await self.call(step)
            self.test.assertEqual(raised.exception.code, step["error"], (step, raised.exception))
            return
        result = await self.call(step)
        if step.get("missing"):
            self.test.assertIs(result, MISSING, step)
        elif step["op"] == "list":
            self.page(step, result)
        elif step["op"] == "usage":
            self.test.assertEqual({name: result[name] for name in step["returns"]}, step["returns"])
        elif "returns" in step:
            wanted = step["returns"]
            if step["op"] == "mget":
                wanted = [MISSING if x == {"$missing": True} else x for x in wanted]
            same(self.test, result, wanted, step)

    async def call(self, step: dict[str, Any]) -> Any:
        kv, key = self.kv, step.get("key")
        ttl = {"ttl_s": step["ttl"]} if "ttl" in step else {}
        match step["op"]:
            case "get":
                return await kv.get(key, MISSING)
            case "set":
                return await kv.set(key, step["value"], **ttl)
            case "delete":
                return await kv.delete(key)
            case "list":
                cursor = self.cursor if step.get("cursor") == "$" else step.get("cursor")
                options = {"limit": step["limit"]} if "limit" in step else {}
                return await kv.list(
                    step.get("prefix", ""), include_values=step.get("values", True), cursor=cursor, **options
                )
            case "mset":
                return await kv.mset(step["entries"], **ttl)
            case "mget":
                return await kv.mget(step["keys"], default=MISSING)
            case "expire":
                return await kv.expire(key, step["ttl"])
            case "appendUnique":
                options = {"id_key": step["idKey"]} if "idKey" in step else {}
                return await kv.list_append_unique(key, step["items"], **options, **ttl)
            case "popAll":
                return await kv.list_pop_all(key)
            case "purgeExpired":
                return await kv.purge_expired(*([step["limit"]] if "limit" in step else []))
            case "usage":
                return await kv.usage()
        raise AssertionError(f"no such op: {step}")

    def page(self, step: dict[str, Any], page: Page) -> None:
        self.cursor = page.cursor
        if "more" in step:
            self.test.assertEqual(page.cursor is not None, step["more"], step)
        if "returns" not in step:
            return
        self.test.assertEqual([row["key"] for row in page], [row["key"] for row in step["returns"]], step)
        for row, wanted in zip(page, step["returns"]):
            self.test.assertEqual("value" in row, step.get("values", True), step)
            if "value" in wanted:
                same(self.test, row["value"], wanted["value"], step)
            if "expiresIn" in wanted:
                left = row["expires_at"] and seconds(row["expires_at"]) - self.test.now()
                self.test.assertEqual(left if left is None else round(left, 3), wanted["expiresIn"], step)
            if "updatedAgo" in wanted:
                ago = round(self.test.now() - seconds(row["updated_at"]), 3)
                self.test.assertEqual(ago, wanted["updatedAgo"], step)


def same(test: Any, got: Any, wanted: Any, step: Any) -> None:
    test.assertEqual(got, wanted, step)
    # In Python True is 1; in JSON it is not.
    test.assertEqual(isinstance(got, bool), isinstance(wanted, bool), step)


def seconds(iso: str) -> float:
    assert len(iso) == len("2026-11-22T12:00:00.000Z") and iso.endswith("Z"), iso
    return datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()


def expand(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$repeat"}:
            text, times = value["$repeat"]
            return text * times
        return {name: expand(v) for name, v in value.items()}
    if isinstance(value, list):
        return [expand(v) for v in value]
    return value


class OnServer(Cases):
    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def advance(self, s: float) -> None:
        self.server.advance(s)

    def now(self) -> float:
        return self.server.now()


class Resp2Test(OnServer, unittest.IsolatedAsyncioTestCase):
    name = "Python, RESP"

    async def open(self, limits: dict[str, str]) -> Kv:
        return Kv.connect(**self.server.app(limits))


class PurePythonTest(OnServer, unittest.IsolatedAsyncioTestCase):
    """The other parser of redis-py 4, where hiredis is installed."""

    def setUp(self) -> None:
        if not hasattr(connection, "PythonParser"):
            self.skipTest("the parsers have no public names in this version of redis-py")

    async def open(self, limits: dict[str, str]) -> Kv:
        return Kv.connect(**self.server.app(limits), parser_class=connection.PythonParser)


class Resp3Test(OnServer, unittest.IsolatedAsyncioTestCase):
    name = "Python, RESP3"

    async def open(self, limits: dict[str, str]) -> Kv:
        at = self.server.app(limits)
        options = resp3.options(at["app"], at["token"])
        return Kv.from_url(f"redis://{at['host']}:{at['port']}", **options)


class ExistingClientTest(OnServer, unittest.IsolatedAsyncioTestCase):
    """A client of the app's own, that decodes responses."""

    decode = True

    async def open(self, limits: dict[str, str]) -> Kv:
        at = self.server.app(limits)
        client = redis.asyncio.Redis(
            host=at["host"], port=at["port"], username=at["app"], password=at["token"], decode_responses=self.decode
        )
        self.addAsyncCleanup(client.connection_pool.disconnect)
        return Kv(client)


class ExistingBinaryClientTest(ExistingClientTest):
    decode = False


class Local(Cases):
    kind = "local"

    def local_limits(self, limits: dict[str, str]) -> dict[str, Any]:
        """The limits of database 0, but for those that the case gives."""
        given: dict[str, Any] = {"value_bytes": 65_536, "ttl_min": 60}
        for name, text in limits.items():
            value = float(text[:-2]) / 1000 if text.endswith("ms") else int(text)
            given[name.replace("-", "_")] = value
        return given


class MockTest(Local, unittest.IsolatedAsyncioTestCase):
    name = "Python, MockKv"

    async def open(self, limits: dict[str, str]) -> MockKv:
        self.mock = MockKv(**self.local_limits(limits))
        return self.mock

    def advance(self, s: float) -> None:
        self.mock.advance(s)

    def now(self) -> float:
        return self.mock.now


class EphemeralTest(Local, unittest.IsolatedAsyncioTestCase):
    name = "Python, EphemeralKv"
    at = 1_800_000_000_000

    async def open(self, limits: dict[str, str]) -> EphemeralKv:
        kv = EphemeralKv(**self.local_limits(limits))
        kv._backend._clock = lambda: self.at  # type: ignore[attr-defined]
        return kv

    def advance(self, s: float) -> None:
        self.at += round(s * 1000)

    def now(self) -> float:
        return self.at / 1000

    async def together(self, calls: list[Any]) -> list[Any]:
        """In threads, each with a loop of its own."""
        results: list[Any] = []
        start = threading.Barrier(len(calls))

        def work(call: Any) -> None:
            start.wait()
            results.append(asyncio.run(call()))

        threads = [threading.Thread(target=work, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results
