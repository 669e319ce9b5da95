"""Flask-Caching on redis-py."""

import flask
import flask_caching
from flask_caching import Cache

from lib import check, drives, eventually, host, port, restart, token

drives(f"{flask_caching.__version__}")

app = flask.Flask("shop")
cache = Cache(app, config={
    "CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": host, "CACHE_REDIS_PORT": port, "CACHE_REDIS_PASSWORD": token,
    "CACHE_DEFAULT_TIMEOUT": 300, "CACHE_KEY_PREFIX": "shop:",
})
calls = {"view": 0, "memoized": 0}


@app.route("/")
@cache.cached(timeout=60)
def view():
    calls["view"] += 1
    return f"seen {calls['view']}"


@cache.memoize(timeout=60)
def add(a, b):
    calls["memoized"] += 1
    return a + b


@check("values of any kind, with a TTL")
def _():
    with app.app_context():
        assert cache.set("k", {"n": [1, None]}, timeout=100)
        assert cache.get("k") == {"n": [1, None]}
        assert cache.has("k")
        assert not cache.add("k", 1)
        assert cache.set_many({"a": 1, "b": 2})
        assert cache.get_many("a", "b", "missing") == [1, 2, None]
        assert cache.delete("k") and cache.get("k") is None
        assert cache.delete_many("a", "b")


@check("views are cached")
def _():
    with app.test_client() as client:
        assert [client.get("/").text for _ in range(3)] == ["seen 1"] * 3


@check("functions are memoized")
def _():
    with app.app_context():
        assert [add(1, 2), add(1, 2), add(2, 2)] == [3, 3, 4]
        assert calls["memoized"] == 2
        cache.delete_memoized(add)
        assert add(1, 2) == 3
        assert calls["memoized"] == 3


@check("clear")
def _():
    with app.app_context():
        assert cache.clear()
    with app.test_client() as client:
        assert client.get("/").text == "seen 2"


@check("restart")
def _():
    with app.app_context():
        cache.set("kept", "v", timeout=100)
        restart()
        assert eventually(lambda: cache.get("kept")) == "v"
