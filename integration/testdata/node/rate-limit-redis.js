// rate-limit-redis, the store of express-rate-limit.
import assert from "node:assert/strict";
import express from "express";
import { rateLimit } from "express-rate-limit";
import { RedisStore } from "rate-limit-redis";
import { isNodeRedis, listen, open } from "./clients.js";
import { check, drives, end } from "./lib.js";

drives("rate-limit-redis");
const client = await open();
const send = isNodeRedis ? (...args) => client.sendCommand(args) : (command, ...args) => client.call(command, ...args);
const store = new RedisStore({ sendCommand: send });
const limiter = rateLimit({ windowMs: 15 * 60 * 1000, limit: 3, standardHeaders: "draft-7", legacyHeaders: false, store });
const app = express();
app.use(limiter);
app.get("/", (_, res) => res.send("ok"));
const ask = await listen(app);

await check("requests are counted and refused", async () => {
  const seen = [];
  for (let i = 0; i < 5; i++) {
    const r = await ask("/");
    seen.push(`${r.status} ${/remaining=(\d+)/.exec(r.headers.get("ratelimit"))[1]}`);
  }
  assert.deepEqual(seen, ["200 2", "200 1", "200 0", "429 0", "429 0"]);
});

await check("scripts that were flushed are loaded again", async () => {
  await send("SCRIPT", "FLUSH");
  assert.equal((await ask("/")).status, 429);
});

await check("a key is read, taken back and reset", async () => {
  await store.increment("ann");
  const { totalHits, resetTime } = await store.increment("ann");
  assert.equal(totalHits, 2);
  assert.ok(resetTime > new Date(Date.now() + 800_000), `${resetTime}`);
  assert.equal((await store.get("ann")).totalHits, 2);
  await store.decrement("ann");
  assert.equal((await store.get("ann")).totalHits, 1);
  await store.resetKey("ann");
  assert.equal((await store.increment("ann")).totalHits, 1);
});
end();
