"""Writes a row for the feed now and then, as the app's settings say. Each row is gone a minute later."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

from cubby import Context, KvError

KEEP_SECONDS = 60
DEFAULTS: dict[str, Any] = {"name": "", "every": 2, "paused": False}


async def beat(ctx: Context) -> float:
    """One round; returns the seconds until the next."""
    settings = {**DEFAULTS, **(await ctx.kv.get("settings", default={}))}
    every = min(max(float(settings["every"]), 1), 60)
    if settings["paused"]:
        return every
    began = time.perf_counter()
    usage = await ctx.kv.usage()
    took = (time.perf_counter() - began) * 1000
    row = {
        "for": settings["name"],
        "text": f"{usage['keys']} of {usage['max-keys']} keys, {usage['bytes']} bytes; answered in {took:.1f} ms",
    }
    # Keys are listed in their order, so the time of the row stands in its key.
    await ctx.kv.set(f"activity:{time.time_ns() // 1_000_000:013d}", row, ttl_seconds=KEEP_SECONDS)
    return every


async def main() -> None:
    async with Context.from_config(os.environ["CUBBY_URL"]) as ctx:
        while True:
            pause = 2.0
            try:
                pause = await beat(ctx)
            except KvError as e:
                print(f"worker: {e.code}: {e.message} {e.hint}", file=sys.stderr, flush=True)
            await asyncio.sleep(pause)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
