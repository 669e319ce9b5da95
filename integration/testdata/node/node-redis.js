// node-redis.
import assert from "node:assert/strict";
import { createClient, createClientPool, ErrorReply, RESP_TYPES, WatchError } from "redis";
import { check, drives, end, eventually, host, port, protocol, refused, restart, token, user } from "./lib.js";

drives("redis");

const open = (options) => {
  const client = createClient({ socket: { host, port }, password: token, RESP: protocol || undefined, ...options });
  client.on("error", () => {}); // what fails is looked at where it is called
  return client;
};
const kv = await open().connect();

await check("sign-in", async () => {
  assert.equal(await kv.ping(), "PONG");
  const named = await open({ username: user }).connect();
  assert.equal(await named.ping(), "PONG");
  named.destroy();
  const url = await createClient({ url: `redis://${encodeURIComponent(user)}:${token}@${host}:${port}/1` }).connect();
  assert.equal(await url.ping(), "PONG");
  url.destroy();
  for (const options of [{ password: "wrong" }, { username: "acme/other" }]) {
    await refused("WRONGPASS", () => open({ ...options, socket: { host, port, reconnectStrategy: false } }).connect());
  }
  await refused("NOAUTH", async () => {
    const nobody = await open({ password: undefined, socket: { host, port, reconnectStrategy: false } }).connect();
    await nobody.get("k");
  });
});

await check("values", async () => {
  assert.equal(await kv.set("text", "grüße", { EX: 100 }), "OK");
  assert.equal(await kv.get("text"), "grüße");
  const ttl = await kv.ttl("text");
  assert.ok(ttl > 90 && ttl <= 100, `${ttl}`);
  assert.equal(await kv.set("text", "x", { NX: true }), null);
  const bytes = Buffer.from([0, 1, 254, 255, 13, 10]);
  await kv.set("bytes", bytes);
  assert.deepEqual(await kv.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get("bytes"), bytes);
  assert.deepEqual([await kv.incr("n"), await kv.incrBy("n", 5), await kv.decr("n")], [1, 6, 5]);
  assert.equal(Number(await kv.incrByFloat("f", 1.5)), 1.5);
  assert.equal(await kv.mSet({ a: "1", b: "2" }), "OK");
  assert.deepEqual(await kv.mGet(["a", "missing", "b"]), ["1", null, "2"]);
  assert.equal(await kv.expire("a", 100), 1);
  assert.equal(await kv.persist("a"), 1);
  assert.equal(await kv.getDel("b"), "2");
  assert.equal(await kv.del(["a", "bytes", "missing"]), 2);
  assert.equal(await kv.exists("a"), 0);
  assert.equal(await kv.sendCommand(["KV.SET", "doc", '{"a": 1}']), "OK");
  assert.equal(await kv.sendCommand(["KV.GET", "doc"]), '{"a":1}');
});

await check("pipeline", async () => {
  const replies = await Promise.allSettled([kv.set("p", "text"), kv.incr("p"), kv.get("p")]); // one write
  assert.deepEqual(replies.map((r) => r.value ?? r.reason.message), ["OK", "ERR value is not an integer or out of range", "text"]);
  const many = await Promise.all(Array.from({ length: 1000 }, (_, i) => kv.set(`many:${i}`, `${i}`)));
  assert.deepEqual(new Set(many), new Set(["OK"]));
  assert.deepEqual(await kv.multi().get("many:1").get("many:2").execAsPipeline(), ["1", "2"]);
  const pool = await createClientPool({ socket: { host, port }, password: token }).connect();
  assert.equal(await pool.get("many:3"), "3");
  pool.destroy();
});

await check("transaction", async () => {
  assert.deepEqual(await kv.multi().set("t", "1").incr("t").exec(), ["OK", 2]);
  const other = await open().connect();
  await kv.watch("t");
  await other.set("t", "10");
  await assert.rejects(() => kv.multi().set("t", "3").exec(), WatchError);
  await kv.watch("t");
  assert.deepEqual(await kv.multi().incr("t").exec(), [11]);
  other.destroy();
});

await check("scan", async () => {
  const seen = new Set();
  for await (const keys of kv.scanIterator({ MATCH: "many:*", COUNT: 100 })) keys.forEach((k) => seen.add(k));
  assert.equal(seen.size, 1000);
});

await check("pub/sub", async () => {
  const sub = await kv.duplicate().connect();
  const got = [];
  let note;
  const both = new Promise((resolve) => (note = (...message) => got.push(message.join(" ")) === 2 && resolve()));
  await sub.subscribe("news", note);
  await sub.pSubscribe("n*", note);
  assert.equal(await kv.publish("news", "hello"), 2);
  await both;
  assert.deepEqual(got, ["hello news", "hello news"]);
  await sub.unsubscribe("news");
  await sub.pUnsubscribe("n*");
  assert.equal(String(await sub.get("text")), "grüße"); // a buffer, in RESP2, from any server
  sub.destroy();
});

await check("Lua", async () => {
  assert.deepEqual(await kv.eval("return {KEYS[1], ARGV[1], 7}", { keys: ["k"], arguments: ["v"] }), ["k", "v", 7]);
  const sha = await kv.scriptLoad("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  assert.equal(await kv.evalSha(sha, { keys: ["lua"], arguments: ["2"] }), 2);
  await kv.scriptFlush();
  await refused("NOSCRIPT", () => kv.evalSha(sha, { keys: ["lua"], arguments: ["2"] }));
});

// Only RESP3 has client-side caching.
if (protocol === 3) {
  await check("caching", async () => {
    const cached = await open({ clientSideCache: { ttl: 0, maxEntries: 0 } }).connect();
    await kv.set("cached", "1");
    for (let i = 0; i < 3; i++) assert.equal(await cached.get("cached"), "1");
    const { hitCount, missCount } = cached.clientSideCache.stats();
    assert.deepEqual([hitCount, missCount], [2, 1]);
    await kv.set("cached", "2");
    await eventually(async () => assert.equal(await cached.get("cached"), "2"));
    cached.destroy();
  });
}

await check("errors", async () => {
  const e = await refused("SIZE_EXCEEDED", () => kv.set("big", "x".repeat(65537)));
  assert.ok(e instanceof ErrorReply);
  await refused("BAD_INPUT", () => kv.set("two words", "x"));
  await refused("ERR unknown command 'LPUSH'", () => kv.lPush("list", "x"));
  await refused("NOPERM", () => kv.sendCommand(["APP.LIST"]));
  await refused("WRONGTYPE", () => kv.sendCommand(["KV.GET", "text"]));
});

await check("restart", async () => {
  const sub = await kv.duplicate().on("error", () => {}).connect();
  let note;
  const heard = new Promise((resolve) => (note = resolve));
  await sub.subscribe("news", note);
  await kv.set("kept", "v");
  await restart();
  // What was under way when the connection broke is refused, what comes later waits.
  assert.equal(await eventually(() => kv.get("kept")), "v");
  await eventually(async () => assert.equal(await kv.publish("news", "again"), 1)); // it subscribes anew
  assert.equal(await heard, "again");
  sub.destroy();
});

kv.destroy();
end();
