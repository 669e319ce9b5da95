"""What happens when a server, a connection or a caller goes away."""

from __future__ import annotations

import asyncio
import gc
import logging
import unittest
import warnings
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from cubby import Kv, KvError

from .servers import Misbehaving, Server, bulk


async def code_of(call: Any) -> str:
    """The code of the error that the call raises."""
    try:
        await call
    except KvError as e:
        return e.code
    raise AssertionError("nothing was raised")


async def hang_up(command: list[bytes], _: Any) -> None:
    return None


class NetworkTest(unittest.IsolatedAsyncioTestCase):
    def kv(self, port: int, **options: Any) -> Kv:
        kv = Kv.connect(host="127.0.0.1", port=port, app="t/a", token="x", **options)
        self.addAsyncCleanup(kv.aclose)
        return kv

    async def test_no_server(self) -> None:
        async with Misbehaving(hang_up) as server:
            port = server.port
        with self.assertRaises(KvError) as raised:
            await self.kv(port).get("k")
        self.assertEqual(raised.exception.code, "network_error")
        self.assertEqual(raised.exception.hint, "is it running there?")

    async def test_killed_server(self) -> None:
        server = Server()
        self.addCleanup(server.stop)
        kv = Kv.connect(**server.app())
        self.addAsyncCleanup(kv.aclose)
        await kv.set("k", [1])
        server.kill()
        for call in (kv.get("k"), kv.set("k", 1), kv.list(), kv.list_pop_all("k"), kv.usage()):
            self.assertEqual(await code_of(call), "network_error")

    async def test_nothing_is_sent_twice(self) -> None:
        """Whatever the client was told about retries."""
        for retries in (0, 3):
            async with Misbehaving(hang_up) as server:
                client = redis.asyncio.Redis(
                    host="127.0.0.1",
                    port=server.port,
                    retry=Retry(NoBackoff(), retries),
                    retry_on_error=[redis.ConnectionError],
                )
                for kv in (Kv(client), self.kv(server.port)):
                    server.commands.clear()
                    self.assertEqual(await code_of(kv.list_pop_all("l")), "network_error")
                    self.assertEqual(await code_of(kv.set("k", 1)), "network_error")
                    self.assertEqual([c[0] for c in server.commands], [b"KV.POPALL", b"KV.SET"])
                await client.connection_pool.disconnect()

    async def test_the_next_call_connects_anew(self) -> None:
        answers = iter([b"$1\r\n1\r\n", None, b"$1\r\n2\r\n"])

        async def reply(command: list[bytes], _: Any) -> bytes | None:
            return next(answers)

        async with Misbehaving(reply) as server:
            kv = self.kv(server.port)
            self.assertEqual(await kv.get("k"), 1)
            self.assertEqual(await code_of(kv.get("k")), "network_error")
            self.assertEqual(await kv.get("k"), 2)
            self.assertEqual(server.connections, 2)

    async def test_a_connection_that_the_server_has_closed_meanwhile(self) -> None:
        """As it does with idle ones: the next call does not notice."""

        async def once(command: list[bytes], writer: Any) -> None:
            writer.write(b"$1\r\n1\r\n")
            await writer.drain()

        async def reply(command: list[bytes], _: Any) -> bytes:
            return b"$1\r\n1\r\n"

        async with Misbehaving(once) as server, Misbehaving(reply) as other:
            kv, elsewhere = self.kv(server.port), self.kv(other.port)
            for n in range(3):
                self.assertEqual(await kv.get("k"), 1)
                await elsewhere.get("k")  # time for the news
                self.assertEqual(server.connections, n + 1)

    async def test_time_out(self) -> None:
        async def silence(command: list[bytes], _: Any) -> bytes:
            if command[1] == b"slow":
                await asyncio.Event().wait()
            return bulk('"fast"')

        async with Misbehaving(silence) as server:
            kv = self.kv(server.port, timeout=0.1)
            self.assertEqual(await code_of(kv.list_pop_all("slow")), "network_error")
            self.assertEqual(await kv.get("quick"), "fast")
            self.assertEqual(len(server.commands), 2)

    async def test_what_is_no_answer(self) -> None:
        wrong = [b"?\r\n", b":1\r\n", b"*0\r\n", b"+OK\r\n", bulk("not json"), bulk("NaN")]
        for answer in wrong:

            async def reply(command: list[bytes], _: Any) -> bytes:
                return answer

            async with Misbehaving(reply) as server:
                kv = self.kv(server.port)
                self.assertEqual(await code_of(kv.get("k")), "network_error", answer)
                for call in (kv.list(), kv.mget(["a", "b"]), kv.usage()) if answer != b"*0\r\n" else ():
                    self.assertEqual(await code_of(call), "network_error", answer)

    async def test_a_cancelled_call_leaves_no_answer_for_the_next(self) -> None:
        arrived, go = asyncio.Event(), asyncio.Event()

        async def reply(command: list[bytes], _: Any) -> bytes:
            if command[1] == b"first":
                arrived.set()
                await go.wait()
            return bulk(f'"{command[1].decode()}"')

        async with Misbehaving(reply) as server:
            kv = self.kv(server.port, max_connections=1)
            first = asyncio.create_task(kv.get("first"))
            await arrived.wait()
            first.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await first
            second = asyncio.create_task(kv.get("second"))
            go.set()
            self.assertEqual(await second, "second")
            self.assertEqual(await kv.get("third"), "third")

    async def test_a_call_cancelled_while_it_signs_in(self) -> None:
        arrived, go = asyncio.Event(), asyncio.Event()

        async def auth(command: list[bytes], _: Any) -> bytes:
            arrived.set()
            await go.wait()
            return b"+OK\r\n"

        async def reply(command: list[bytes], _: Any) -> bytes:
            return bulk(f'"{command[1].decode()}"')

        async with Misbehaving(reply, auth) as server:
            kv = self.kv(server.port, max_connections=1)
            first = asyncio.create_task(kv.get("first"))
            await arrived.wait()
            first.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await first
            second = asyncio.create_task(kv.get("second"))
            go.set()
            self.assertEqual(await second, "second")
            self.assertEqual([c[1] for c in server.commands], [b"second"])
            self.assertEqual(server.connections, 1)

    async def test_calls_cancelled_anywhere_lose_no_connection(self) -> None:
        async def reply(command: list[bytes], _: Any) -> bytes:
            return bulk(f'"{command[1].decode()}"')

        async with Misbehaving(reply) as server:
            kv = self.kv(server.port, max_connections=2)
            for turns in range(40):
                calls = [asyncio.create_task(kv.get(f"c{turns}-{n}")) for n in range(4)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for call in calls[::2]:
                    call.cancel()
                results = await asyncio.gather(*calls, return_exceptions=True)
                self.assertEqual(results[1::2], [f"c{turns}-1", f"c{turns}-3"])
                for n, result in enumerate(results[::2]):
                    self.assertIn(result if isinstance(result, str) else "", ("", f"c{turns}-{2 * n}"))
            self.assertEqual(await asyncio.gather(kv.get("x"), kv.get("y"), kv.get("z")), ["x", "y", "z"])

    async def test_more_calls_than_connections(self) -> None:
        async def reply(command: list[bytes], _: Any) -> bytes:
            return bulk("1")

        async with Misbehaving(reply) as server:
            kv = self.kv(server.port, max_connections=3)
            self.assertEqual(await asyncio.gather(*(kv.get("k") for _ in range(50))), [1] * 50)
            self.assertLessEqual(server.connections, 3)

    async def test_closed(self) -> None:
        async def reply(command: list[bytes], _: Any) -> bytes:
            return bulk("1")

        async with Misbehaving(reply) as server:
            async with self.kv(server.port) as kv:
                jobs = kv.with_prefix("jobs:")
                await jobs.get("k")
            for store in (kv, jobs):
                self.assertEqual(await code_of(store.get("k")), "network_error")

    async def test_a_pool_that_takes_no_command_name(self) -> None:
        """As in redis-py since 5.3, where a name is warned of."""

        class Pool(redis.asyncio.ConnectionPool):
            async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
                assert command_name is None and not keys and not options
                name = () if redis.VERSION >= (5, 3) else ("_",)
                return await super().get_connection(*name)

        async def reply(command: list[bytes], _: Any) -> bytes:
            return bulk("1")

        async with Misbehaving(reply) as server:
            pool = Pool(host="127.0.0.1", port=server.port)
            self.assertEqual(await Kv(redis.asyncio.Redis(connection_pool=pool)).get("k"), 1)
            await pool.disconnect()


class ErrorTest(unittest.IsolatedAsyncioTestCase):
    """Replies to errors, also as other versions of redis-py hand them on."""

    async def test_replies(self) -> None:
        for text, wanted in {
            "ERR syntax error": ("bad_input", "syntax error", None),
            "ERR DB index is out of range": ("bad_input", "DB index is out of range", None),
            "BAD_INPUT LIMIT is 0; at least 1 is allowed": ("bad_input", "LIMIT is 0; at least 1 is allowed", None),
            "CAP_REACHED 3 (of 3) keys (hint: delete)": ("cap_reached", "3 (of 3) keys", "delete"),
            "NOAUTH the token has ended (hint: sign in)": ("unauthorized", "the token has ended", "sign in"),
            "WRONGPASS invalid": ("unauthorized", "invalid", None),
            "NOPERM no": ("forbidden", "no", None),
            "WRONGTYPE value is not JSON": ("wrong_type", "value is not JSON", None),
            "MISCONF the disk": ("misconf", "the disk", None),
            "OOM memory": ("oom", "memory", None),
            "EXECABORT x": ("execabort", "x", None),
            "READONLY x": ("readonly", "x", None),
        }.items():

            async def reply(command: list[bytes], _: Any) -> bytes:
                return f"-{text}\r\n".encode()

            async with Misbehaving(reply) as server:
                async with Kv.connect(host="127.0.0.1", port=server.port) as kv:
                    with self.assertRaises(KvError) as raised:
                        await kv.get("k")
                    e = raised.exception
                    self.assertEqual((e.code, e.message, e.hint), wanted)

    async def test_a_refused_token(self) -> None:
        async def auth(command: list[bytes], _: Any) -> bytes:
            return b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"

        async with Misbehaving(hang_up, auth) as server:
            async with Kv.connect(host="127.0.0.1", port=server.port, token="x") as kv:
                self.assertEqual(await code_of(kv.get("k")), "unauthorized")

    def test_the_code_that_newer_versions_keep(self) -> None:
        from cubby.resp import _kv_error

        class Coded(redis.ResponseError):
            status_code = "OOM"

        class Refused(redis.AuthenticationError):
            status_code = "WRONGPASS"

        self.assertEqual(_kv_error(Coded("memory")).code, "oom")
        self.assertEqual(_kv_error(Refused("no")).code, "unauthorized")


class LoopTest(unittest.TestCase):
    def test_one_kv_in_one_loop_after_another(self) -> None:
        """As with asyncio.run for each of several jobs."""
        # Nobody closes the connections of the loops that end; redis-py 4 complains while they are collected.
        logging.disable()
        self.addCleanup(logging.disable, logging.NOTSET)
        server = Server()
        self.addCleanup(server.stop)
        kv = Kv.connect(**server.app())

        async def count() -> int:
            n = await kv.get("n", 0) + 1
            await kv.set("n", n)
            return n

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self.assertEqual([asyncio.run(count()) for _ in range(3)], [1, 2, 3])
            del kv, count
            gc.collect()

    def test_one_kv_in_two_loops_at_once(self) -> None:
        async def reply(command: list[bytes], _: Any) -> bytes:
            return bulk("1")

        async def main() -> None:
            async with Misbehaving(reply) as server:
                async with Kv.connect(host="127.0.0.1", port=server.port) as kv:
                    await kv.get("k")
                    code = await asyncio.to_thread(lambda: asyncio.run(code_of(kv.get("k"))))
                    self.assertEqual(code, "bad_input")
                    self.assertEqual(await kv.get("k"), 1)

        asyncio.run(main())
