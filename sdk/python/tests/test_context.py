"""Context, from_config, and what only a real server shows."""

from __future__ import annotations

import asyncio
import unittest

import redis
import redis.asyncio

from cubby import Context, EphemeralKv, Kv, KvError, KvStore, MockKv, from_config

from .servers import Server


def url(at: dict[str, object], database: int | str = "") -> str:
    return f"redis://{str(at['app']).replace('/', '%2F')}:{at['token']}@{at['host']}:{at['port']}/{database}"


async def use(context: Context) -> None:
    await context.kv.set("k", "persistent", ttl_seconds=60)
    await context.kv().set("k", "ephemeral", ttl_s=1)
    await context.kv(prefix="jobs:").set("1", "new")
    assert await context.kv.get("k") == "persistent"
    assert await context.kv().get("k", default=None) == "ephemeral"
    assert [row["key"] for row in await context.kv(prefix="jobs:").list()] == ["1"]
    assert [row["key"] for row in await context.kv().list()] == ["jobs:1", "k"]
    rows = await context.kv.list(include_values=False)
    assert [row["key"] for row in rows] == ["k"] and "value" not in rows[0]


class ContextTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    async def test_on_a_server(self) -> None:
        at = self.server.app()
        for database in ("", 0, 1):
            async with Context.from_config(url(at, database), timeout=10) as context:
                await use(context)
        with self.assertRaises(KvError):
            await context.kv().get("k")
        async with Kv.connect(**at, database=1) as kv:
            self.assertEqual(await kv.get("k"), "ephemeral")

    async def test_in_memory(self) -> None:
        async with Context.from_config("memory:") as context:
            await use(context)
        with self.assertRaises(KvError):
            await context.kv().get("k")

    async def test_with_mocks(self) -> None:
        mock = MockKv()
        context = Context(mock, MockKv(ttl_min=0.001))
        await use(context)
        mock.fail_next("cap_reached")
        with self.assertRaises(KvError):
            await context.kv.set("k", 1)

    async def test_from_config(self) -> None:
        self.assertIsInstance(from_config("memory:"), EphemeralKv)
        async with from_config(url(self.server.app()), prefix="p:") as kv:
            self.assertIsInstance(kv, Kv)
            await self.as_store(kv)
        for wrong in ("memory", "http://localhost", "redis://localhost:port"):
            with self.assertRaises(KvError) as raised:
                from_config(wrong)
            self.assertEqual(raised.exception.code, "bad_input")
        with self.assertRaises(KvError):
            from_config("memory:", timeout=1)

    async def as_store(self, store: KvStore) -> None:
        await store.set("k", 1)
        self.assertEqual([row["key"] async for row in store.iterate()], ["k"])

    async def test_tls_checks_the_name_in_the_certificate(self) -> None:
        for kv in (Kv.from_url("rediss://localhost"), Kv.connect(tls=True)):
            self.assertTrue(kv.client.connection_pool.connection_kwargs["ssl_check_hostname"])
        kv = Kv.from_url("rediss://localhost", ssl_check_hostname=False)
        self.assertFalse(kv.client.connection_pool.connection_kwargs["ssl_check_hostname"])

    async def test_prefix(self) -> None:
        at = self.server.app()
        async with Kv.connect(**at) as kv, Kv.connect(**at, prefix="jobs:") as jobs:
            await jobs.mset({"a": 1, "b": 2})
            await kv.set("k", 3)
            self.assertEqual([row["key"] for row in await jobs.list()], ["a", "b"])
            self.assertEqual([row["key"] for row in await kv.list()], ["jobs:a", "jobs:b", "k"])
            page = await jobs.list(limit=1)
            self.assertEqual([row["key"] for row in await jobs.list(limit=1, cursor=page.cursor)], ["b"])

    async def test_token_scopes(self) -> None:
        at = self.server.app(name="t/scopes")
        async with Kv.connect(**self.server.app(name="t/scopes", readonly=True)) as kv:
            self.assertIsNone(await kv.get("k"))
            with self.assertRaises(KvError) as raised:
                await kv.set("k", 1)
            self.assertEqual(raised.exception.code, "forbidden")
        async with Kv.connect(**{**at, "app": "t/other"}) as kv:
            with self.assertRaises(KvError) as raised:
                await kv.get("k")
            self.assertEqual(raised.exception.code, "unauthorized")
        async with Kv.connect(**{**at, "app": None}) as kv:  # a token names its app
            await kv.set("k", 1)

    async def test_keys_called_ttl(self) -> None:
        async with Kv.connect(**self.server.app()) as kv:
            await kv.mset({"TTL": 1})
            await kv.mset({"ttl": 2, "a": 3})
            await kv.mset({"Ttl": 4}, ttl_s=60)
            await kv.mset({"TTL": 5, "b": 6}, ttl_s=60.5)
            self.assertEqual(await kv.mget(["TTL", "ttl", "a", "Ttl", "b"]), [5, 2, 3, 4, 6])

    async def test_values_that_others_have_set(self) -> None:
        async with Kv.connect(**self.server.app()) as kv:
            await kv.client.set("text", "not JSON")
            for call in (kv.get("text"), kv.mget(["text"]), kv.list(), kv.list_pop_all("text")):
                with self.assertRaises(KvError) as raised:
                    await call
                self.assertEqual(raised.exception.code, "wrong_type")
            self.assertEqual([row["key"] for row in await kv.list(include_values=False)], ["text"])
            await kv.client.set("nested", "[" * 9000 + "]" * 9000)
            with self.assertRaises(KvError) as raised:
                await kv.get("nested")
            self.assertEqual(raised.exception.code, "wrong_type")

    async def test_keys_of_any_bytes(self) -> None:
        async with Kv.connect(**self.server.app({"key-charset": "any"})) as kv:
            await kv.client.set(b"\xff", "1")
            await kv.set("ü ☃", 2)
            keys = [row["key"] for row in await kv.list()]
            self.assertEqual(await kv.mget(keys), [2, 1])

    async def test_values_that_are_not_utf8_for_a_client_that_decodes(self) -> None:
        at = self.server.app()
        async with redis.asyncio.Redis(
            host=at["host"], port=at["port"], username=at["app"], password=at["token"], decode_responses=True
        ) as client:
            await client.set("k", b"\xff")
            kv = Kv(client)
            with self.assertRaises(KvError) as raised:
                await kv.list()
            self.assertEqual(raised.exception.code, "wrong_type")
            await kv.aclose()
            self.assertTrue(await client.ping())

    async def test_pop_all_among_many(self) -> None:
        at = self.server.app()
        async with Kv.connect(**at) as one, Kv.connect(**at) as two:

            async def work(n: int) -> list[str]:
                kv, got = (one, two)[n % 2], []
                for i in range(25):
                    await kv.list_append_unique("l", [{"id": f"{n}-{i}"}])
                    got += await kv.list_pop_all("l")
                return [item["id"] for item in got]

            results = await asyncio.gather(*map(work, range(8)))
        ids = [item for items in results for item in items]
        self.assertCountEqual(ids, [f"{n}-{i}" for n in range(8) for i in range(25)])

    async def test_a_client_that_is_not_asyncio(self) -> None:
        with self.assertRaises(KvError) as raised:
            Kv(redis.Redis())  # type: ignore[arg-type]
        self.assertIn("redis.asyncio", str(raised.exception))
