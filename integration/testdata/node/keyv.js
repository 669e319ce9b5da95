// Keyv with @keyv/redis, and cache-manager on top.
import assert from "node:assert/strict";
import KeyvRedis, { createKeyv } from "@keyv/redis";
import { createCache } from "cache-manager";
import Keyv from "keyv";
import { check, drives, end, eventually, host, port, restart, token, user } from "./lib.js";

const [subject] = process.argv.slice(2);
drives(subject);
const url = `redis://${encodeURIComponent(user)}:${token}@${host}:${port}`;

async function driveKeyv() {
  const keyv = createKeyv(url, { namespace: "cache" });
  keyv.on("error", () => {});
  await check("values with a TTL", async () => {
    assert.equal(await keyv.set("foo", { n: [1, null] }, 100_000), true);
    assert.deepEqual(await keyv.get("foo"), { n: [1, null] });
    assert.equal(await keyv.has("foo"), true);
    assert.equal(await keyv.get("missing"), undefined);
    assert.equal(await keyv.delete("foo"), true);
    assert.equal(await keyv.delete("foo"), false);
  });
  await check("many at once", async () => {
    await keyv.set("a", 1);
    await keyv.set("b", 2);
    assert.deepEqual(await keyv.get(["a", "missing", "b"]), [1, undefined, 2]);
    await keyv.setMany([{ key: "c", value: 3 }, { key: "d", value: 4, ttl: 100_000 }]);
    assert.deepEqual((await keyv.getMany(["c", "d"])), [3, 4]);
    assert.equal(await keyv.delete(["a", "b"]), true);
  });
  await check("iteration and clear stay in the namespace", async () => {
    const other = new Keyv(new KeyvRedis(url), { namespace: "other" });
    await other.set("stays", 1);
    const seen = [];
    for await (const [key] of keyv.iterator()) seen.push(key);
    assert.deepEqual(seen.sort(), ["c", "d"]);
    await keyv.clear();
    assert.equal(await keyv.get("c"), undefined);
    assert.equal(await other.get("stays"), 1);
  });
  await check("restart", async () => {
    await keyv.set("kept", "v");
    await restart();
    await eventually(async () => assert.equal(await keyv.get("kept"), "v"));
  });
}

async function driveCacheManager() {
  const cache = createCache({ stores: [createKeyv(url, { namespace: "manager" })], ttl: 100_000 });
  await check("get, set, del", async () => {
    await cache.set("k", { v: 1 });
    assert.deepEqual(await cache.get("k"), { v: 1 });
    const until = await cache.ttl("k");
    assert.ok(until > Date.now() + 90_000, `${until}`);
    assert.equal(await cache.del("k"), true);
    assert.equal(await cache.get("k"), undefined);
  });
  await check("wrap computes once", async () => {
    let computed = 0;
    const compute = async () => ++computed;
    assert.equal(await cache.wrap("wrapped", compute, { ttl: 100_000, refreshThreshold: 1000 }), 1);
    assert.equal(await cache.wrap("wrapped", compute, { ttl: 100_000, refreshThreshold: 1000 }), 1);
  });
  await check("mset, mget, mdel, clear", async () => {
    await cache.mset([{ key: "a", value: 1 }, { key: "b", value: 2 }]);
    assert.deepEqual(await cache.mget(["a", "b", "c"]), [1, 2, undefined]);
    await cache.mdel(["a"]);
    await cache.clear();
    assert.deepEqual(await cache.mget(["a", "b"]), [undefined, undefined]);
  });
}

await (subject === "cache-manager" ? driveCacheManager() : driveKeyv());
end();
