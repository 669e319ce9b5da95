"""EphemeralKv and MockKv: threads, bounds, the clock, failures."""

from __future__ import annotations

import asyncio
import copy
import pickle
import random
import threading
import unittest
from typing import Any

from cubby import EphemeralKv, KvError, MockKv

THREADS = 8


def in_threads(work: Any) -> list[Any]:
    """Runs the coroutine function work(n) in threads at once, each with a loop of its own."""
    results: list[Any] = [None] * THREADS
    start = threading.Barrier(THREADS)

    def run(n: int) -> None:
        start.wait()
        try:
            results[n] = asyncio.run(work(n))
        except BaseException as e:
            results[n] = e

    threads = [threading.Thread(target=run, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


class ThreadTest(unittest.TestCase):
    def test_pop_all_hands_each_item_to_one(self) -> None:
        kv = EphemeralKv()

        async def work(n: int) -> list[Any]:
            got = []
            for i in range(200):
                await kv.list_append_unique("l", [{"id": f"{n}-{i}"}])
                got += await kv.list_pop_all("l")
            return got

        results = in_threads(work)
        rest = asyncio.run(kv.list_pop_all("l"))
        ids = [item["id"] for items in [*results, rest] for item in items]
        self.assertCountEqual(ids, [f"{n}-{i}" for n in range(THREADS) for i in range(200)])

    def test_the_cap_holds(self) -> None:
        kv = EphemeralKv(max_keys=100)

        async def work(n: int) -> int:
            stored = 0
            for i in range(50):
                try:
                    await kv.set(f"{n}:{i}", i)
                    stored += 1
                except KvError as e:
                    self.assertEqual(e.code, "cap_reached")
            return stored

        self.assertEqual(sum(in_threads(work)), 100)
        self.assertEqual(len(asyncio.run(kv.list(limit=1000))), 100)

    def test_everything_at_once(self) -> None:
        kv = EphemeralKv(prefix="p:")

        async def work(n: int) -> None:
            choose = random.Random(n)
            for _ in range(300):
                key = f"k{choose.randrange(20)}"
                match choose.randrange(7):
                    case 0:
                        await kv.mset({key: n, f"{n}": n}, ttl_s=0.001)
                    case 1:
                        await kv.delete(key)
                    case 2:
                        keys = [row["key"] for row in await kv.list()]
                        self.assertEqual(keys, sorted(set(keys)))
                    case 3:
                        await kv.purge_expired(3)
                    case 4:
                        await kv.expire(key, 100)
                    case 5:
                        await kv.usage()
                    case 6:
                        self.assertEqual([row["key"] async for row in kv.iterate("nothing")], [])

        in_threads(work)


class EphemeralTest(unittest.IsolatedAsyncioTestCase):
    async def test_stores_are_apart(self) -> None:
        a, b = EphemeralKv(), EphemeralKv()
        await a.set("k", 1)
        self.assertIsNone(await b.get("k"))

    async def test_prefix(self) -> None:
        kv = EphemeralKv()
        jobs = kv.with_prefix("jobs:")
        await jobs.mset({"b": 2, "a": 1})
        await kv.set("other", 3)
        self.assertEqual([row["key"] for row in await jobs.list()], ["a", "b"])
        self.assertEqual([row["key"] for row in await jobs.list("b")], ["b"])
        self.assertEqual([row["key"] for row in await kv.list()], ["jobs:a", "jobs:b", "other"])
        self.assertEqual(await jobs.mget(["a", "other"], default=0), [1, 0])
        page = await jobs.list(limit=1)
        self.assertEqual([row["key"] for row in await jobs.list(limit=1, cursor=page.cursor)], ["b"])
        self.assertTrue(await jobs.with_prefix("").delete("a"))

    async def test_iterate_goes_on_over_pages(self) -> None:
        kv = EphemeralKv()
        await kv.mset({f"{n:05}": n for n in range(2500)})
        rows = [row async for row in kv.iterate()]
        self.assertEqual([row["value"] for row in rows], list(range(2500)))
        self.assertNotIn("value", [row async for row in kv.iterate("00001", include_values=False)][0])

    async def test_purge_takes_the_oldest_first(self) -> None:
        kv = MockKv()
        for key, ttl in (("c", 80), ("a", 70), ("b", 60)):
            await kv.set(key, 1, ttl_s=ttl)
        kv.advance(75)
        self.assertEqual(await kv.purge_expired(1), 1)
        memory = kv._backend._memory._entries  # type: ignore[attr-defined]
        self.assertCountEqual(memory, ["a", "c"])
        self.assertEqual([await kv.purge_expired(), await kv.purge_expired()], [1, 0])

    async def test_expired_entries_do_not_pile_up(self) -> None:
        kv = MockKv()
        for n in range(20_000):
            await kv.set(f"k{n}", n, ttl_s=60)
            kv.advance(1)
        self.assertLess(len(kv._backend._memory._entries), 3000)  # type: ignore[attr-defined]
        self.assertEqual(len(await kv.list(limit=1000)), 59)

    async def test_expired_entries_do_not_count(self) -> None:
        kv = MockKv(max_keys=2)
        await kv.mset({"a": 1, "b": 1}, ttl_s=60)
        kv.advance(60)
        await kv.mset({"c": 1, "d": 1})
        self.assertEqual((await kv.usage())["keys"], 2)
        self.assertEqual(await kv.purge_expired(), 2)

    async def test_bounds_of_ttls(self) -> None:
        kv = EphemeralKv(ttl_max=None)
        await kv.set("k", 1, ttl_s=10**12)
        self.assertEqual((await kv.list())[0]["expires_at"], "9999-12-31T23:59:59.999Z")
        with self.assertRaisesRegex(KvError, "too short"):
            await kv.set("k", 1, ttl_s=0)
        with self.assertRaisesRegex(KvError, "1 ms to 31536000 s"):
            await EphemeralKv().set("k", 1, ttl_s=31_536_001)

    async def test_closed(self) -> None:
        async with EphemeralKv() as kv:
            await kv.set("k", 1)
        with self.assertRaises(KvError) as raised:
            await kv.get("k")
        self.assertEqual(raised.exception.code, "network_error")

    async def test_versions_change_with_each_write(self) -> None:
        kv = EphemeralKv()
        versions = set()
        for _ in range(3):
            await kv.set("k", 1)
            versions.add((await kv.list())[0]["version"])
        self.assertEqual(len(versions), 3)


class MockTest(unittest.IsolatedAsyncioTestCase):
    async def test_clock(self) -> None:
        kv = MockKv(now=1_800_000_000)
        await kv.set("k", 1, ttl_seconds=60)
        self.assertEqual(
            await kv.list(include_values=False),
            [
                {
                    "key": "k",
                    "expires_at": "2027-01-15T08:01:00.000Z",
                    "updated_at": "2027-01-15T08:00:00.000Z",
                    "version": 1,
                }
            ],
        )
        kv.advance(60)
        self.assertEqual((await kv.get("k"), kv.now), (None, 1_800_000_060))
        with self.assertRaises(KvError):
            kv.advance(-1)

    async def test_failures(self) -> None:
        kv = MockKv()
        await kv.set("l", [1])
        kv.fail_next("network_error")
        kv.fail_next("rate_limited", "slow down", "wait", times=2)
        with self.assertRaises(KvError) as raised:
            await kv.list_pop_all("l")
        self.assertEqual(raised.exception.code, "network_error")
        for _ in range(2):
            with self.assertRaisesRegex(KvError, r"rate_limited: slow down \(hint: wait\)"):
                await kv.mset({"a": 1})
        self.assertEqual(await kv.list_pop_all("l"), [1])

    async def test_an_answer_that_is_lost(self) -> None:
        kv = MockKv()
        await kv.set("l", [1])
        kv.fail_next("network_error", performed=True)
        with self.assertRaises(KvError):
            await kv.list_pop_all("l")
        self.assertEqual(await kv.list_pop_all("l"), [])

    async def test_failures_reach_a_store_with_a_prefix(self) -> None:
        kv = MockKv()
        kv.fail_next()
        with self.assertRaises(KvError):
            await kv.with_prefix("a").get("k")


class ErrorTest(unittest.TestCase):
    def test_errors_travel(self) -> None:
        e = KvError("cap_reached", "full", "delete")
        for other in (pickle.loads(pickle.dumps(e)), copy.copy(e)):
            self.assertEqual((other.code, other.message, other.hint), ("cap_reached", "full", "delete"))
        self.assertEqual(str(e), "cap_reached: full (hint: delete)")
        self.assertEqual(str(KvError("oom", "full")), "oom: full")
