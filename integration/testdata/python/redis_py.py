"""redis-py; with the argument hiredis, that is its parser."""

import sys

import redis
from redis.connection import HiredisParser, PythonParser

from lib import check, drives, eventually, host, port, refused, restart, token, url, user

if sys.argv[1:] == ["hiredis"]:
    import hiredis

    drives(f"{redis.__version__} with hiredis {hiredis.__version__}")
    parser = HiredisParser
else:
    drives(redis.__version__)
    parser = PythonParser


def connect(**options):
    connection = {"host": host, "port": port, "password": token, "decode_responses": True, "parser_class": parser, **options}
    return redis.Redis(connection_pool=redis.ConnectionPool(**connection))


kv = connect()


@check("sign-in")
def _():
    assert kv.ping()
    assert connect(username=user).ping()
    assert redis.from_url(f"redis://{user.replace('/', '%2F')}:{token}@{host}:{port}/1").ping()
    # This release knows no class for it.
    with refused("WRONGPASS", redis.ResponseError):
        connect(password="wrong").ping()
    with refused("WRONGPASS", redis.ResponseError):
        connect(username="acme/other").ping()
    with refused("Authentication required", redis.AuthenticationError):
        connect(password=None).ping()


@check("values")
def _():
    assert kv.set("text", "grüße", ex=100)
    assert kv.get("text") == "grüße"
    assert 90 < kv.ttl("text") <= 100
    assert kv.set("text", "x", nx=True) is None
    assert kv.get("missing") is None
    data = bytes([0, 1, 254, 255, 13, 10])
    binary = connect(decode_responses=False)
    assert binary.set("bytes", data)
    assert binary.get("bytes") == data
    assert [kv.incr("n"), kv.incrby("n", 5), kv.decr("n")] == [1, 6, 5]
    assert kv.incrbyfloat("f", 1.5) == 1.5
    assert kv.mset({"a": 1, "b": 2})
    assert kv.mget("a", "missing", "b") == ["1", None, "2"]
    assert kv.expire("a", 100) and kv.persist("a")
    assert kv.getdel("b") == "2"
    assert kv.delete("a", "bytes", "missing") == 2
    assert kv.exists("a") == 0
    assert kv.execute_command("KV.SET", "doc", '{"a": 1}') == "OK"
    assert kv.execute_command("KV.GET", "doc") == '{"a":1}'


@check("pipeline")
def _():
    with kv.pipeline(transaction=False) as p:
        for i in range(1000):
            p.set(f"many:{i}", i)
        replies = p.incr("text").get("many:7").execute(raise_on_error=False)
    assert replies[:1000] == [True] * 1000
    assert isinstance(replies[1000], redis.ResponseError), replies[1000]
    assert replies[1001] == "7"


@check("transaction")
def _():
    with kv.pipeline() as p:
        assert p.set("t", 1).incr("t").mget("t", "missing").execute() == [True, 2, ["2", None]]

    def raise_t(p):
        t = int(p.get("t"))
        if t == 2:
            kv.set("t", 10)  # comes in between, once
        p.multi()
        p.set("t", t + 1)

    assert kv.transaction(raise_t, "t") == [True]
    assert kv.get("t") == "11"
    with kv.pipeline() as p:
        p.watch("t")
        kv.set("t", 20)
        p.multi()
        p.incr("t")
        with refused("Watched variable changed", redis.WatchError):
            p.execute()


@check("scan")
def _():
    assert len(set(kv.scan_iter("many:*", count=100))) == 1000


@check("pub/sub")
def _():
    with kv.pubsub() as sub:
        sub.subscribe("news")
        sub.psubscribe("n*")
        assert [sub.get_message(timeout=10)["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
        assert kv.pubsub_numpat() == 1
        assert kv.publish("news", "hello") == 2
        got = [sub.get_message(timeout=10) for _ in range(2)]
    assert got == [
        {"type": "message", "pattern": None, "channel": "news", "data": "hello"},
        {"type": "pmessage", "pattern": "n*", "channel": "news", "data": "hello"},
    ], got


@check("Lua")
def _():
    add = kv.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert add(keys=["lua"], args=[2]) == 2
    assert kv.script_flush()
    assert add(keys=["lua"], args=[3]) == 5  # NOSCRIPT is answered with SCRIPT LOAD
    assert kv.eval("return {KEYS[1], ARGV[1], 7}", 1, "k", "v") == ["k", "v", 7]
    with refused("No matching script", redis.exceptions.NoScriptError):
        kv.evalsha("0" * 40, 0)

    # Its lock is a SET NX PX, released and extended by scripts.
    with kv.lock("lock", timeout=100) as lock:
        assert lock.owned()
        assert lock.extend(100)
        assert not kv.lock("lock", timeout=100).acquire(blocking=False)
    assert kv.lock("lock", timeout=100).acquire(blocking=False)


@check("errors")
def _():
    with refused("SIZE_EXCEEDED", redis.ResponseError):
        kv.set("big", "x" * 65537)
    with refused("BAD_INPUT", redis.ResponseError):
        kv.set("two words", "x")
    with refused("WRONGTYPE", redis.ResponseError):
        kv.execute_command("KV.GET", "text")
    with refused("unknown command", redis.ResponseError):
        kv.lpush("list", "x")
    with refused("", redis.exceptions.NoPermissionError):
        kv.execute_command("APP.LIST")


@check("restart")
def _():
    kv.set("kept", "v")
    restart()
    # It notices that the connection has ended before it sends.
    assert eventually(lambda: kv.get("kept"), redis.ConnectionError) == "v"
