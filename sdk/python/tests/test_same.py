"""Random calls have the same outcome on a server and on MockKv."""

from __future__ import annotations

import os
import random
import sys
import unittest
from typing import Any

from cubby import BaseKv, Kv, KvError, MockKv

from .servers import Server

LIMITS = {"max-keys": "6", "value-bytes": "60", "ttl-min": "1s", "ttl-max": "100s"}
KEYS = ["a", "a:1", "a:2", "b", "TTL", "~", "l", "l2", "", "a b", "ü", "k" * 256, "k" * 257]
TTLS = [None, None, None, 1, 1.5, 2, 50, 100, 0.999, 100.001, 101, 0, -1, 0.0004, 10**15, 10**30]
IDS: list[Any] = [1, 1.0, 1.5, "1", True, None, [1], [], {"x": 1, "y": 2}, {"y": 2.0, "x": 1}]
IDS += [10**22, 1e22, 1e23, 10**23, 0, -0.0, "", "\\u0031", "ü"]
VALUES: list[Any] = [None, 0, "text", "ü" * 29, "ü" * 30, [], [1, "two", None], {}, {"a": [1.5]}, "x" * 58]
VALUES += ["x" * 59, '"\\\n\u2028', [[]], [{}], [{"id": 1}]]


class SameTest(unittest.IsolatedAsyncioTestCase):
    async def test_random_calls(self) -> None:
        seed = int(os.environ.get("CUBBY_TEST_SEED") or random.randrange(2**32))
        try:
            for run in range(4):
                await self.compare(random.Random(f"{seed}/{run}"), 400)
        except BaseException:
            print(f"repeat it with CUBBY_TEST_SEED={seed}", file=sys.stderr)
            raise

    async def compare(self, choose: random.Random, calls: int) -> None:
        server = Server()
        self.addCleanup(server.stop)
        mock = MockKv(max_keys=6, value_bytes=60, ttl_min=1, ttl_max=100, now=server.now())
        async with Kv.connect(**server.app(LIMITS)) as real:
            done = []
            for _ in range(calls):
                name, args, options = a_call(choose)
                done.append((name, args, options))
                if name == "advance":
                    server.advance(*args)
                    mock.advance(*args)
                    continue
                results = [await outcome(kv, name, args, options) for kv in (real, mock)]
                self.assertEqual(repr(results[0]), repr(results[1]), done[-12:])


def a_call(choose: random.Random) -> tuple[str, list[Any], dict[str, Any]]:
    key = choose.choice(KEYS[:8]) if choose.random() < 0.9 else choose.choice(KEYS)
    ttl = choose.choice(TTLS[:8]) if choose.random() < 0.8 else choose.choice(TTLS)
    expiry = {choose.choice(["ttl_s", "ttl_seconds"]): ttl}
    items = [{choose.choice(["id", "id", "id", "no"]): choose.choice(IDS)} for _ in range(choose.randrange(3))]
    return choose.choice(
        [
            ("get", [key], {"default": "none"}),
            ("set", [key, choose.choice(VALUES)], expiry),
            ("set", [key, choose.choice(VALUES)], expiry),
            ("delete", [key], {}),
            ("pages", [choose.choice(["", "a", "a:", "l", "ü"]), choose.randrange(1, 4), choose.random() < 0.5], {}),
            ("mset", [{k: choose.choice(VALUES) for k in choose.sample(KEYS[:8], choose.randrange(3))}], expiry),
            ("mget", [choose.sample(KEYS[:8], 3)], {}),
            ("expire", [key, 1 if ttl is None else ttl], {}),
            ("list_append_unique", [choose.choice(["l", "l2"]), items], expiry),
            ("list_append_unique", [choose.choice(["l", "l2"]), items], {"id_key": "no", **expiry}),
            ("list_pop_all", [choose.choice(["l", "l2", key])], {}),
            ("stored", [], {}),
            ("advance", [choose.choice([0.001, 0.5, 1, 30])], {}),
        ]
    )


async def outcome(kv: BaseKv, name: str, args: list[Any], options: dict[str, Any]) -> Any:
    try:
        match name:
            case "pages":
                return await pages(kv, *args)
            case "stored":
                usage = await kv.usage()
                return usage["keys"], usage["bytes"]
        return await getattr(kv, name)(*args, **options)
    except KvError as e:
        return e.code


async def pages(kv: BaseKv, prefix: str, limit: int, values: bool) -> list[Any]:
    rows, cursor = [], None
    while True:
        page = await kv.list(prefix, limit=limit, include_values=values, cursor=cursor)
        rows.append([{name: value for name, value in row.items() if name != "version"} for row in page])
        cursor = page.cursor
        if cursor is None:
            return rows
