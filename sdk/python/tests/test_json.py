"""Values and arguments that JSON or the stores refuse, and those that they keep exactly."""

from __future__ import annotations

import datetime
import decimal
import enum
import unittest
from typing import Any

from cubby import EphemeralKv, KvError, MockKv
from cubby.jsontext import decode, encode, identity


class Color(str, enum.Enum):
    RED = "red"


class ValueTest(unittest.IsolatedAsyncioTestCase):
    async def test_values_come_back(self) -> None:
        kv = EphemeralKv()
        for value in (
            None, True, False, 0, -1, 2**53 + 1, 10**4000, 0.1, -0.0, 1e300, "", "äöü ☃ 😀 \0 \u2028", [], {},
            {"": {"a": [1, [2, {"b": None}]]}}, [True, 1, 1.0],
        ):
            await kv.set("k", value)
            got = await kv.get("k")
            self.assertEqual(repr(got), repr(value))

    async def test_tuples_and_enums(self) -> None:
        kv = EphemeralKv()
        await kv.set("k", (1, {"c": Color.RED}))
        self.assertEqual(await kv.get("k"), [1, {"c": "red"}])

    async def test_nothing_is_shared(self) -> None:
        kv = MockKv()
        value = {"list": [1]}
        await kv.set("k", value)
        value["list"].append(2)
        (await kv.get("k"))["list"].append(3)
        self.assertEqual(await kv.get("k"), {"list": [1]})

    def test_refused(self) -> None:
        cycle: list[Any] = []
        cycle.append(cycle)
        deep: Any = 1
        for _ in range(100_000):
            deep = [deep]
        for value, word in (
            (float("nan"), "JSON"), (float("inf"), "JSON"), ([-float("inf")], "JSON"), (b"x", "bytes"), ({1}, "set"),
            (datetime.datetime.now(), "datetime"), (decimal.Decimal(1), "Decimal"), (object(), "object"),
            ({1: 2}, "int"), ({"a": [{None: 2}]}, "NoneType"), (({True: 1},), "bool"), (cycle, "Circular"),
            (deep, "deep"), ("\ud800", "U+D800"), ({"\udfff": 1}, "U+DFFF"), (10**5000, "digits"),
        ):
            with self.assertRaises(KvError) as raised:
                encode(value)
            self.assertEqual(raised.exception.code, "bad_input")
            self.assertIn(word, str(raised.exception))

    def test_text_is_compact_utf8(self) -> None:
        self.assertEqual(encode({"ü": [1, "<&>"]}), '{"ü":[1,"<&>"]}'.encode())

    def test_what_others_have_stored(self) -> None:
        self.assertEqual(decode(b"1" * 6000), int(decimal.Decimal("1" * 6000)))
        self.assertEqual(decode(b'"\\ud800"'), "\ud800")
        for text in (b"", b"NaN", b"[1,]", b"\xff"):
            with self.assertRaises(ValueError):
                decode(text)
        with self.assertRaises(KvError) as raised:
            decode(b"[" * 9000 + b"]" * 9000)
        self.assertEqual(raised.exception.code, "wrong_type")

    def test_identity(self) -> None:
        same = [(1, 1.0), (10**23, 1e23), (0, -0.0), ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1})]
        for a, b in same:
            self.assertEqual(identity(a), identity(b), (a, b))
        values = [1, True, "1", [1], {"1": 1}, [], {}, [[]], False, 0, "", [True], 0.1, 10**23 + 1, ["a", 1], {"a": 1}]
        self.assertEqual(len({identity(value) for value in values}), len(values))


class ArgumentTest(unittest.IsolatedAsyncioTestCase):
    async def test_refused(self) -> None:
        kv: Any = MockKv()  # Any, as these are mistakes
        huge = 10**5000  # Python does not write it down
        for call in (
            kv.get(1),
            kv.set(b"k", 1),
            kv.set("k", 1, ttl_s="60"),
            kv.set("k", 1, ttl_s=True),
            kv.set("k", 1, ttl_s=float("nan")),
            kv.set("k", 1, ttl_s=float("inf")),
            kv.set("k", 1, ttl_s=60, ttl_seconds=60),
            kv.set("k", 1, ttl_s=huge),
            kv.set("k", 1, ttl_s=-huge),
            kv.set("k", 1, ttl_s=1e300),
            kv.set("k", 1, ttl_s=1e308),
            kv.expire("k"),
            kv.list(1),
            kv.list(limit="1"),
            kv.list(limit=True),
            kv.list(limit=0),
            kv.list(limit=-huge),
            kv.list(cursor=1),
            kv.mset([("k", 1)]),
            kv.mget("keys"),
            kv.mget([1]),
            kv.mget(None),
            kv.mget({"k": 1}),
            kv.purge_expired(0),
            kv.list_append_unique("k", {"id": 1}),
            kv.list_append_unique("k", "ab"),
            kv.list_append_unique("k", None),
            kv.list_append_unique("k", [], id_key=1),
        ):
            with self.assertRaises(KvError) as raised:
                await call
            self.assertEqual(raised.exception.code, "bad_input", raised.exception)
        self.assertEqual(await kv.list(limit=10**5000), [])
        for make in (lambda: EphemeralKv(prefix=1), lambda: kv.with_prefix(None)):  # type: ignore[arg-type]
            with self.assertRaises(KvError):
                make()

    async def test_both_names_of_a_ttl(self) -> None:
        kv = MockKv()
        await kv.set("a", 1, ttl_s=61.5)
        await kv.set("b", 1, ttl_seconds=61.5)
        await kv.mset({"c": 1}, ttl_seconds=61.5)
        await kv.list_append_unique("d", [], ttl_seconds=61.5)
        await kv.set("e", 1)
        await kv.expire("e", ttl_seconds=61.5)
        mock_ends = {row["expires_at"] for row in await kv.list()}
        self.assertEqual(len(mock_ends), 1)
        kv.advance(61.499)
        self.assertEqual(len(await kv.list()), 5)
        kv.advance(0.001)
        self.assertEqual(await kv.list(), [])
