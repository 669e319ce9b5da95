"""django-redis: the cache, its locks, and sessions in it."""

import threading

import django
import django_redis
from django.conf import settings

from lib import check, drives, eventually, restart, url

OPTIONS = {"CLIENT_CLASS": "django_redis.client.DefaultClient"}
settings.configure(
    CACHES={
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url + "/0", "OPTIONS": OPTIONS},
        "memory": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url + "/1", "OPTIONS": OPTIONS, "KEY_PREFIX": "m"},
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    SECRET_KEY="of the test",
    USE_TZ=True,
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402
from django.core.cache import cache, caches  # noqa: E402

drives(f"{django_redis.__version__} with Django {django.__version__}")


@check("values of any kind, with a TTL")
def _():
    value = {"list": [1, None, "grün"], "set": {1, 2}}
    cache.set("k", value, timeout=100)
    assert cache.get("k") == value
    assert 90 < cache.ttl("k") <= 100
    assert cache.add("k", "x") is False
    assert cache.get("missing", "default") == "default"
    assert cache.touch("k", 200) and cache.ttl("k") > 150
    assert cache.persist("k") and cache.ttl("k") is None
    assert cache.expire("k", 100)
    assert cache.delete("k") and cache.get("k") is None
    assert cache.get_or_set("computed", lambda: 7, timeout=100) == 7
    assert caches["memory"].set("short", 1, timeout=5)


@check("many at once")
def _():
    cache.set_many({"a": 1, "b": [2]}, timeout=100)
    assert cache.get_many(["a", "b", "missing"]) == {"a": 1, "b": [2]}
    assert cache.delete_many(["a", "b"]) == 2


@check("counters and versions")
def _():
    cache.set("n", 1, timeout=100)
    assert cache.incr("n") == 2  # a script
    assert cache.decr("n", 2) == 0
    cache.set("v", "one", timeout=100)
    assert cache.incr_version("v") == 2
    assert cache.get("v", version=2) == "one"


@check("keys by pattern")
def _():
    cache.set_many({f"many:{i}": i for i in range(300)}, timeout=100)
    assert sorted(cache.keys("many:*")) == sorted(f"many:{i}" for i in range(300))
    assert len(set(cache.iter_keys("many:*"))) == 300
    assert cache.delete_pattern("many:*") == 300
    cache.clear()
    assert cache.keys("*") == []


@check("locks")
def _():
    entered = []
    with cache.lock("lock", timeout=30) as lock:
        assert lock.owned()
        assert not cache.lock("lock", timeout=30).acquire(blocking=False)

    def work(i):
        with cache.lock("turns", timeout=30, sleep=0.01):
            entered.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(entered) == [0, 1, 2, 3]


@check("sessions")
def _():
    session = SessionStore()
    session["cart"] = {"apples": 3}
    session.save()
    again = SessionStore(session_key=session.session_key)
    assert again["cart"] == {"apples": 3}
    again.flush()
    assert not SessionStore().exists(session.session_key)


@check("restart")
def _():
    cache.set("kept", "v", timeout=None)
    restart()
    assert eventually(lambda: cache.get("kept"), django_redis.exceptions.ConnectionInterrupted) == "v"
