// rate-limiter-flexible.
import assert from "node:assert/strict";
import rlf from "rate-limiter-flexible";
import { isNodeRedis, open } from "./clients.js";
import { check, drives, end } from "./lib.js";

const { BurstyRateLimiter, RateLimiterRedis, RateLimiterRes } = rlf;
drives("rate-limiter-flexible");
const storeClient = await open();
const options = { storeClient, useRedisPackage: isNodeRedis };

await check("points are consumed and refused", async () => {
  const limiter = new RateLimiterRedis({ ...options, keyPrefix: "mw", points: 3, duration: 5 });
  const left = [];
  for (let i = 0; i < 3; i++) left.push((await limiter.consume("ann")).remainingPoints);
  assert.deepEqual(left, [2, 1, 0]);
  const refused = await limiter.consume("ann").then(() => assert.fail("it was not refused"), (e) => e);
  assert.ok(refused instanceof RateLimiterRes, `${refused}`);
  assert.ok(refused.msBeforeNext > 3000 && refused.msBeforeNext <= 5000, `${refused.msBeforeNext}`);
  assert.equal((await limiter.get("ann")).consumedPoints, 4);
  assert.equal((await limiter.reward("ann", 2)).consumedPoints, 2);
  assert.equal((await limiter.penalty("ann", 1)).consumedPoints, 3);
  assert.equal(await limiter.delete("ann"), true);
  assert.equal(await limiter.get("ann"), null);
});

await check("blocks last longer than the window", async () => {
  const limiter = new RateLimiterRedis({ ...options, keyPrefix: "login", points: 1, duration: 2, blockDuration: 100 });
  await limiter.consume("bob");
  const refused = await limiter.consume("bob").then(() => assert.fail("it was not refused"), (e) => e);
  assert.ok(refused.msBeforeNext > 90_000, `${refused.msBeforeNext}`);
  await limiter.set("cid", 10, 100);
  await assert.rejects(() => limiter.consume("cid"));
  await limiter.block("dan", 100);
  await assert.rejects(() => limiter.consume("dan"));
});

await check("bursts", async () => {
  const bursty = new BurstyRateLimiter(
    new RateLimiterRedis({ ...options, keyPrefix: "steady", points: 1, duration: 5 }),
    new RateLimiterRedis({ ...options, keyPrefix: "burst", points: 2, duration: 10 }),
  );
  for (let i = 0; i < 3; i++) await bursty.consume("eve");
  await assert.rejects(() => bursty.consume("eve"));
});

await check("many at once lose no point", async () => {
  const limiter = new RateLimiterRedis({ ...options, keyPrefix: "rush", points: 50, duration: 30 });
  const results = await Promise.allSettled(Array.from({ length: 80 }, () => limiter.consume("all")));
  assert.equal(results.filter((r) => r.status === "fulfilled").length, 50);
});
end();
