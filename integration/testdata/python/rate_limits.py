"""limits, what Flask-Limiter and slowapi count with."""

import limits
from limits import parse, storage, strategies

from lib import check, drives, url

drives(limits.__version__)
store = storage.storage_from_string(url)


@check("fixed window")
def _():
    limiter = strategies.FixedWindowRateLimiter(store)
    minute = parse("3/minute")
    assert [limiter.hit(minute, "ann") for _ in range(4)] == [True, True, True, False]
    reset, left = limiter.get_window_stats(minute, "ann")
    assert left == 0
    limiter.clear(minute, "ann")
    assert limiter.test(minute, "ann")
    assert limiter.hit(parse("1/second"), "ann")


@check("fixed window, elastic expiry")
def _():
    limiter = strategies.FixedWindowElasticExpiryRateLimiter(store)
    minute = parse("2/minute")
    assert [limiter.hit(minute, "bob") for _ in range(3)] == [True, True, False]


@check("store")
def _():
    assert store.check()
    assert store.reset() >= 1
