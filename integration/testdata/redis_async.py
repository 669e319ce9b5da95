"""What programs do with redis.asyncio: run against $REDIS_ADDR with $REDIS_TOKEN."""

import asyncio
import os

import redis.asyncio as redis

addr = os.environ["REDIS_ADDR"]
url = f"redis://:{os.environ['REDIS_TOKEN']}@{addr}"


async def raise_n(kv):
    """Adds 1 to n with WATCH, until nobody comes in between."""
    async with kv.pipeline() as p:
        while True:
            try:
                await p.watch("n")
                n = int(await p.get("n") or 0)
                p.multi()
                p.set("n", n + 1)
                await p.execute()
                return
            except redis.WatchError:
                continue


async def main():
    kv = redis.from_url(url, decode_responses=True)
    assert await kv.ping()
    assert await kv.set("k", "v", ex=60)
    assert await kv.get("k") == "v"

    await asyncio.gather(*(kv.set(f"many:{i:03}", i) for i in range(200)))
    assert sorted([key async for key in kv.scan_iter("many:*", count=20)]) == [f"many:{i:03}" for i in range(200)]

    async with kv.pipeline(transaction=True) as p:
        assert await p.set("a", 1).incr("a").get("a").execute() == [True, 2, "2"]
    await asyncio.gather(*(raise_n(kv) for _ in range(30)))
    assert await kv.get("n") == "30"

    try:
        await kv.set("k", "x" * 65537)
        raise AssertionError("the value was not refused")
    except redis.ResponseError as e:
        assert str(e).startswith("SIZE_EXCEEDED"), e
    wrong = redis.from_url(f"redis://:wrong@{addr}")
    try:
        await wrong.ping()
        raise AssertionError("a wrong token was let in")
    except redis.RedisError as e:
        assert "invalid username-password" in str(e), e
    await wrong.close()
    await kv.close()
    await kv.connection_pool.disconnect()
    print("ok")


asyncio.run(main())
