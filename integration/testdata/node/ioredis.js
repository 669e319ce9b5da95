// ioredis; the argument is the name that its version is installed under.
import assert from "node:assert/strict";
import { check, drives, end, eventually, host, port, protocol, refused, restart, token, user } from "./lib.js";

const name = process.argv[2];
const { Redis, ReplyError } = await import(name);
drives(name);

const open = (options) => {
  const client = new Redis({ host, port, password: token, protocol: protocol || undefined, ...options });
  client.on("error", () => {}); // what fails is looked at where it is called
  return client;
};
const kv = open();

await check("sign-in", async () => {
  assert.equal(await kv.ping(), "PONG");
  const named = open({ username: user });
  assert.equal(await named.ping(), "PONG");
  named.disconnect();
  const url = new Redis(`redis://${encodeURIComponent(user)}:${token}@${host}:${port}/1`);
  assert.equal(await url.ping(), "PONG");
  url.disconnect();
  const stubborn = { maxRetriesPerRequest: 0, retryStrategy: null, enableReadyCheck: false };
  for (const options of [{ password: "wrong" }, { username: "acme/other" }]) {
    const client = open({ ...options, ...stubborn });
    const error = await new Promise((resolve) => client.once("error", resolve));
    assert.ok(error.message.startsWith("WRONGPASS"), error.message);
    client.disconnect();
  }
  const nobody = open({ ...stubborn, password: undefined });
  await refused("NOAUTH", () => nobody.get("k"));
  nobody.disconnect();
});

await check("values", async () => {
  assert.equal(await kv.set("text", "grüße", "EX", 100), "OK");
  assert.equal(await kv.get("text"), "grüße");
  const ttl = await kv.ttl("text");
  assert.ok(ttl > 90 && ttl <= 100, `${ttl}`);
  assert.equal(await kv.set("text", "x", "NX"), null);
  const bytes = Buffer.from([0, 1, 254, 255, 13, 10]);
  await kv.set("bytes", bytes);
  assert.deepEqual(await kv.getBuffer("bytes"), bytes);
  assert.deepEqual([await kv.incr("n"), await kv.incrby("n", 5), await kv.decr("n")], [1, 6, 5]);
  assert.equal(Number(await kv.incrbyfloat("f", 1.5)), 1.5);
  assert.deepEqual(await kv.mset({ a: "1", b: "2" }), "OK");
  assert.deepEqual(await kv.mget("a", "missing", "b"), ["1", null, "2"]);
  assert.equal(await kv.expire("a", 100), 1);
  assert.equal(await kv.persist("a"), 1);
  assert.equal(await kv.getdel("b"), "2");
  assert.equal(await kv.del("a", "bytes", "missing"), 2);
  assert.equal(await kv.exists("a"), 0);
  assert.equal(await kv.call("KV.SET", "doc", '{"a": 1}'), "OK");
  assert.equal(await kv.call("KV.GET", "doc"), '{"a":1}');
});

await check("pipeline", async () => {
  const replies = await kv.pipeline().set("p", "text").incr("p").get("p").exec();
  assert.deepEqual(replies.map(([e]) => e && e.message), [null, "ERR value is not an integer or out of range", null]);
  assert.equal(replies[2][1], "text");
  const many = await Promise.all(Array.from({ length: 1000 }, (_, i) => kv.set(`many:${i}`, i)));
  assert.deepEqual(new Set(many), new Set(["OK"]));
  const auto = open({ enableAutoPipelining: true });
  assert.deepEqual(await Promise.all([auto.get("many:1"), auto.get("many:2")]), ["1", "2"]);
  auto.disconnect();
});

await check("transaction", async () => {
  assert.deepEqual(await kv.multi().set("t", 1).incr("t").exec(), [[null, "OK"], [null, 2]]);
  const other = open();
  await kv.watch("t");
  await other.set("t", 10);
  assert.equal(await kv.multi().set("t", 3).exec(), null);
  await kv.watch("t");
  assert.deepEqual(await kv.multi().incr("t").exec(), [[null, 11]]);
  await refused("EXECABORT", () => kv.multi().set("t").exec());
  other.disconnect();
});

await check("scan", async () => {
  const seen = new Set();
  for await (const keys of kv.scanStream({ match: "many:*", count: 100 })) keys.forEach((k) => seen.add(k));
  assert.equal(seen.size, 1000);
});

await check("pub/sub", async () => {
  const sub = open();
  const got = [];
  const all = new Promise((resolve) => {
    const note = (...message) => got.push(message.join(" ")) === 2 && resolve();
    sub.on("message", note);
    sub.on("pmessage", note);
  });
  assert.equal(await sub.subscribe("news"), 1);
  assert.equal(await sub.psubscribe("n*"), 2);
  assert.equal(await kv.publish("news", "hello"), 2);
  await all;
  assert.deepEqual(got.sort(), ["n* news hello", "news hello"]);
  assert.equal(await sub.unsubscribe("news"), 1);
  assert.equal(await sub.punsubscribe("n*"), 0);
  assert.equal(await sub.get("text"), "grüße");
  sub.disconnect();
});

await check("Lua", async () => {
  kv.defineCommand("addTo", { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" });
  assert.equal(await kv.addTo("lua", 2), 2);
  await kv.script("FLUSH");
  assert.equal(await kv.addTo("lua", 3), 5); // NOSCRIPT is answered with EVAL
  assert.deepEqual(await kv.eval("return {KEYS[1], ARGV[1], 7}", 1, "k", "v"), ["k", "v", 7]);
  await refused("NOSCRIPT", () => kv.evalsha("0".repeat(40), 0));
});

await check("errors", async () => {
  const e = await refused("SIZE_EXCEEDED", () => kv.set("big", "x".repeat(65537)));
  assert.ok(e instanceof ReplyError);
  await refused("BAD_INPUT", () => kv.set("two words", "x"));
  await refused("ERR unknown command 'LPUSH'", () => kv.call("LPUSH", "list", "x"));
  await refused("NOPERM", () => kv.call("APP.LIST"));
  await refused("WRONGTYPE", () => kv.call("KV.GET", "text"));
});

await check("restart", async () => {
  const sub = open();
  await sub.subscribe("news");
  const heard = new Promise((resolve) => sub.once("message", (_, message) => resolve(message)));
  await kv.set("kept", "v");
  await restart();
  assert.equal(await kv.get("kept"), "v"); // queued until it is connected again
  await eventually(async () => assert.equal(await kv.publish("news", "again"), 1)); // it subscribes anew
  assert.equal(await heard, "again");
  sub.disconnect();
});

kv.disconnect();
end();
