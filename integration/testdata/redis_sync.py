"""What programs do with redis-py: run against $REDIS_ADDR with $REDIS_TOKEN."""

import os
import threading

import redis

host, port = os.environ["REDIS_ADDR"].split(":")
token = os.environ["REDIS_TOKEN"]


def connect(**options):
    return redis.Redis(host=host, port=int(port), **{"password": token, "decode_responses": True, **options})


def refused(why, call, *args, **options):
    """why is a part of the text, or the class that the client makes of the code."""
    try:
        call(*args, **options)
    except redis.RedisError as e:
        assert isinstance(e, why) if isinstance(why, type) else why in str(e), (why, e)
        return
    raise AssertionError(f"{call} was not refused with {why}")


kv = connect()
assert kv.ping()
assert connect(username="acme/notes").ping()
refused("invalid username-password", connect(password="wrong").ping)
refused(redis.AuthenticationError, connect(password=None).ping)

# Values come back as they were written, decoded or not.
assert kv.set("text", "grüße", ex=100)
assert kv.get("text") == "grüße"
assert connect(decode_responses=False).get("text") == "grüße".encode()
assert 0 < kv.ttl("text") <= 100
assert kv.set("text", "x", nx=True) is None
assert kv.get("missing") is None
assert kv.execute_command("KV.SET", "doc", '{"n": 1}') == "OK"
assert kv.execute_command("KV.GET", "doc") == '{"n":1}'

# A pipeline is MULTI and EXEC unless it is told otherwise.
with kv.pipeline() as p:
    p.set("a", 1).incr("a").mget("a", "missing")
    assert p.execute() == [True, 2, ["2", None]]
with kv.pipeline(transaction=False) as p:
    for i in range(1000):
        p.set(f"many:{i:04}", i)
    assert p.execute() == [True] * 1000
with kv.pipeline() as p:
    p.set("a", "text").incr("a")
    refused("not an integer", p.execute)
    assert p.execute() == []

# Optimistic locking: threads that get in each other's way lose no step.
kv.set("n", 0)


def raise_n():
    own = connect()
    for _ in range(20):
        own.transaction(lambda p: (n := int(p.get("n")), p.multi(), p.set("n", n + 1)), "n")
    own.close()


threads = [threading.Thread(target=raise_n) for _ in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert kv.get("n") == "80"

assert sorted(kv.scan_iter("many:*", count=100)) == [f"many:{i:04}" for i in range(1000)]
assert kv.delete(*kv.scan_iter("many:*")) == 1000
assert kv.dbsize() == len(kv.keys("*")) == 4
assert kv.info("server")["redis_version"].startswith("7.")
assert kv.client_setname("worker") and kv.client_getname() == "worker"
assert [c["name"] for c in kv.client_list() if c["name"]] == ["worker"]

refused("SIZE_EXCEEDED", kv.set, "big", "x" * 65537)
refused("BAD_INPUT", kv.set, "two words", "x")
refused("BAD_INPUT", kv.set, "short", "x", ex=1)
assert connect(db=1).set("short", "x", px=5000)
refused(redis.exceptions.NoPermissionError, kv.execute_command, "APP.LIST")
refused("unknown command", kv.lpush, "list", "x")
assert kv.flushall()

print("ok")
