"""redis-py's asyncio client."""

import asyncio

import redis
import redis.asyncio as aredis

from lib import checked, drives, host, port, refused, restart, token, url, user

drives(redis.__version__)


async def main():
    kv = aredis.from_url(url, decode_responses=True)

    async def sign_in():
        assert await kv.ping()
        for options in ({"username": user}, {"db": 1}):
            async with aredis.Redis(host=host, port=port, password=token, **options) as other:
                assert await other.ping()
        for error, options in (
            (redis.RedisError, {"password": "wrong"}),
            (redis.RedisError, {"password": token, "username": "acme/other"}),
            (redis.AuthenticationError, {}),
        ):
            async with aredis.Redis(host=host, port=port, **options) as other:
                with refused("", error):
                    await other.get("k")

    async def values():
        assert await kv.set("text", "grüße", ex=100)
        assert await kv.get("text") == "grüße"
        assert 90 < await kv.ttl("text") <= 100
        assert await kv.set("text", "x", nx=True) is None
        data = bytes([0, 1, 254, 255, 13, 10])
        async with aredis.from_url(url) as binary:
            assert await binary.set("bytes", data) and await binary.get("bytes") == data
        assert [await kv.incr("n"), await kv.incrby("n", 5)] == [1, 6]
        assert await kv.mset({"a": 1, "b": 2})
        assert await kv.mget("a", "missing", "b") == ["1", None, "2"]
        assert await kv.delete("a", "b", "missing") == 2
        assert await kv.execute_command("KV.SET", "doc", '{"a": 1}') == "OK"

    async def pipeline():
        async with kv.pipeline(transaction=False) as p:
            for i in range(1000):
                p.set(f"many:{i}", i)
            replies = await p.incr("text").get("many:7").execute(raise_on_error=False)
        assert isinstance(replies[1000], redis.ResponseError), replies[1000]
        assert replies[1001] == "7"
        assert await asyncio.gather(*(kv.get(f"many:{i}") for i in range(50))) == [str(i) for i in range(50)]

    async def transaction():
        async with kv.pipeline(transaction=True) as p:
            assert await p.set("t", 1).incr("t").execute() == [True, 2]
            await p.watch("t")
            await kv.set("t", 10)
            p.multi()
            p.incr("t")
            with refused("Watched variable changed", redis.WatchError):
                await p.execute()

    async def scan():
        assert len({key async for key in kv.scan_iter("many:*", count=100)}) == 1000

    async def pubsub():
        async with kv.pubsub(ignore_subscribe_messages=True) as sub:
            await sub.subscribe("news")
            await sub.psubscribe("n*")
            while await kv.publish("news", "hello") < 2:
                await asyncio.sleep(0.01)
            async for m in sub.listen():
                assert (m["channel"], m["data"]) == ("news", "hello"), m
                if m["type"] == "pmessage":
                    break

    async def lua():
        add = kv.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        assert await add(keys=["lua"], args=[2]) == 2
        assert await kv.script_flush()
        assert await add(keys=["lua"], args=[3]) == 5
        async with kv.lock("lock", timeout=100) as lock:
            assert await lock.owned()

    async def errors():
        with refused("SIZE_EXCEEDED", redis.ResponseError):
            await kv.set("big", "x" * 65537)
        with refused("BAD_INPUT", redis.ResponseError):
            await kv.set("two words", "x")
        with refused("unknown command", redis.ResponseError):
            await kv.lpush("list", "x")
        with refused("", redis.exceptions.NoPermissionError):
            await kv.execute_command("APP.LIST")

    async def restarts():
        await kv.set("kept", "v")
        await asyncio.to_thread(restart)
        for _ in range(500):
            try:
                assert await kv.get("kept") == "v"
                return
            except redis.ConnectionError:
                await asyncio.sleep(0.02)
        raise AssertionError("it does not come back")

    for name, test in {
        "sign-in": sign_in, "values": values, "pipeline": pipeline, "transaction": transaction, "scan": scan,
        "pub/sub": pubsub, "Lua": lua, "errors": errors, "restart": restarts,
    }.items():
        await checked(name, test)
    await kv.close()
    await kv.connection_pool.disconnect()


asyncio.run(main())
