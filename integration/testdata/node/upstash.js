// @upstash/redis, which speaks HTTP.
import assert from "node:assert/strict";
import { errors, Redis } from "@upstash/redis";
import { check, drives, end, eventually, restart, token, url } from "./lib.js";

drives("@upstash/redis");

const options = JSON.parse(process.argv[2] ?? "{}");
const isAutomatic = options.enableAutoPipelining ?? true;
const isText = options.responseEncoding === false;
const open = (more) => new Redis({ url, token, ...options, ...more });
const kv = open();

/** Rejects unless run is refused with an error that has the words. */
async function refused(words, run) {
  await assert.rejects(run, (e) => {
    assert.ok(e instanceof errors.UpstashError, `${e}`);
    assert.ok(e.message.includes(words), `${words} was expected: ${e.message}`);
    return true;
  });
}

await check("sign-in", async () => {
  assert.equal(await kv.ping(), "PONG");
  process.env.UPSTASH_REDIS_REST_URL = url;
  process.env.UPSTASH_REDIS_REST_TOKEN = token;
  assert.equal(await Redis.fromEnv(options).ping(), "PONG");
  await refused("WRONGPASS", () => open({ token: "wrong" }).get("k"));
  const got = await fetch(`${url}/get/k`);
  assert.equal(got.status, 401);
  assert.match((await got.json()).error, /^NOAUTH/);
});

await check("values", async () => {
  assert.equal(await kv.set("text", "grüße 😀\r\n\u0000\"\\", { ex: 100 }), "OK");
  assert.equal(await kv.get("text"), "grüße 😀\r\n\u0000\"\\");
  const ttl = await kv.ttl("text");
  assert.ok(ttl > 90 && ttl <= 100, `${ttl}`);
  assert.equal(await kv.set("text", "x", { nx: true }), null);
  assert.equal(await kv.set("ok", "OK"), "OK");
  assert.equal(await kv.get("ok"), "OK");
  assert.deepEqual(await kv.mget("ok", "ok"), ["OK", "OK"]);
  assert.equal(await kv.set("empty", ""), "OK");
  assert.equal(await kv.get("empty"), "");
  assert.deepEqual([await kv.incr("n"), await kv.incrby("n", 5), await kv.decr("n")], [1, 6, 5]);
  assert.equal(Number(await kv.incrbyfloat("f", 1.5)), 1.5);
  assert.equal(await kv.mset({ a: "1", b: "two" }), "OK");
  assert.deepEqual(await kv.mget("a", "missing", "b"), [1, null, "two"]); // it reads JSON
  assert.equal(await kv.append("b", "!"), 4);
  assert.equal(await kv.getrange("b", 1, 2), "wo");
  assert.equal(await kv.expire("a", 100), 1);
  assert.equal(await kv.persist("a"), 1);
  assert.equal(await kv.getdel("b"), "two!");
  assert.equal(await kv.del("a", "missing"), 1);
  assert.equal(await kv.exists("a"), 0);
  assert.equal(await kv.get("a"), null);
  const raw = open({ automaticDeserialization: false });
  assert.equal(await raw.set("raw", "1.0"), "OK");
  assert.equal(await raw.get("raw"), "1.0");
});

await check("JSON values", async () => {
  const doc = { name: "grüße", list: [1, 2.5, null, { deep: true }], empty: {}, text: 'a "b" \\ \n' };
  assert.equal(await kv.set("doc", doc), "OK");
  assert.deepEqual(await kv.get("doc"), doc);
  assert.deepEqual(await kv.mget("doc", "missing"), [doc, null]);
  for (const value of [true, false, 12, -0.5, [1, [2, ["3"]]], "12 apples"]) {
    await kv.set("json", value);
    assert.deepEqual(await kv.get("json"), value);
  }
});

await check("big numbers", async () => {
  assert.equal(await kv.set("big", "9007199254740993"), "OK");
  assert.equal(await kv.get("big"), "9007199254740993");
  assert.equal(await kv.incrby("big", 2), "9007199254740995");
  assert.equal(await kv.decrby("big", 4), Number.MAX_SAFE_INTEGER);
  assert.deepEqual(await kv.pipeline().incrby("big", 2).decrby("big", 2).exec(), ["9007199254740993", Number.MAX_SAFE_INTEGER]);
  assert.equal(await kv.set("big", "-9223372036854775808"), "OK");
  assert.equal(await kv.incr("big"), "-9223372036854775807");
  await refused("overflow", () => kv.decrby("big", 2));
  assert.deepEqual(await kv.eval("return {redis.call('GET', KEYS[1]), 7}", ["big"], []), ["-9223372036854775807", 7]);
});

await check("pipeline", async () => {
  const replies = await kv.pipeline().set("p", "text").incr("p").get("p").exec({ keepErrors: true });
  assert.deepEqual(replies.map((r) => r.error ?? r.result), ["OK", "ERR value is not an integer or out of range", "text"]);
  await refused("not an integer", () => kv.pipeline().set("p", "text").incr("p").exec());
  const p = kv.pipeline();
  for (let i = 0; i < 1000; i++) p.set(`many:${i}`, `${i}`);
  assert.deepEqual(new Set(await p.exec()), new Set(["OK"]));
  const before = kv.pipelineCounter;
  const settled = await Promise.allSettled([kv.set("p", "text"), kv.incr("p"), kv.append("p", "!")]);
  assert.match(settled[1].reason.message, /not an integer/);
  const values = await Promise.all(Array.from({ length: 50 }, (_, i) => kv.get(`many:${i}`)));
  assert.deepEqual(values, Array.from({ length: 50 }, (_, i) => i));
  if (isAutomatic) assert.equal(kv.pipelineCounter - before, 2); // requests
});

await check("transaction", async () => {
  assert.deepEqual(await kv.multi().set("t", "1").incr("t").get("t").exec(), ["OK", 2, 2]);
  await refused("EXECABORT", () => kv.multi().set("t", "5").lpush("t", "x").exec());
  assert.equal(await kv.get("t"), 2);
});

await check("scan", async () => {
  const seen = new Set();
  let cursor = "0";
  do {
    const [next, keys] = await kv.scan(cursor, { match: "many:*", count: 100 });
    keys.forEach((k) => seen.add(k));
    cursor = next;
  } while (cursor !== "0");
  assert.equal(seen.size, 1000);
  assert.deepEqual(await kv.keys("tex*"), ["text"]);
  assert.ok((await kv.dbsize()) > 1000);
});

/** Collects what a subscription hears; heard waits for so many messages. */
function listen(subscription, type) {
  const got = [];
  let note = () => {};
  const began = new Promise((resolve) => subscription.on(type === "message" ? "subscribe" : "psubscribe", resolve));
  subscription.on(type, ({ pattern, channel, message }) => {
    got.push([pattern, channel, message].filter((x) => x !== undefined));
    note();
  });
  return {
    began,
    heard: (n) => new Promise((resolve) => {
      note = () => got.length >= n && resolve(got);
      note();
    }),
  };
}

await check("pub/sub", async () => {
  const one = kv.subscribe("news");
  const all = kv.psubscribe("n*");
  const [a, b] = [listen(one, "message"), listen(all, "pmessage")];
  await Promise.all([a.began, b.began]);
  assert.equal(await kv.publish("news", { a: [1, "x,y"] }), 2);
  assert.equal(await kv.publish("news", "5"), 2);
  assert.equal(await kv.publish("nothing", "7"), 1);
  assert.deepEqual(await a.heard(2), [["news", { a: [1, "x,y"] }], ["news", 5]]);
  assert.deepEqual(await b.heard(3), [["n*", "news", { a: [1, "x,y"] }], ["n*", "news", 5], ["n*", "nothing", 7]]);
  await one.unsubscribe();
  await all.unsubscribe();
  await eventually(async () => assert.equal(await kv.publish("news", "gone"), 0));
  const nobody = open({ token: "wrong" }).subscribe("news");
  const error = await new Promise((resolve) => nobody.on("error", resolve));
  assert.match(error.message, /WRONGPASS/);
});

await check("Lua", async () => {
  assert.deepEqual(await kv.eval("return {KEYS[1], ARGV[1], 7}", ["k"], ["v"]), ["k", "v", 7]);
  const script = kv.createScript("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  await refused("NOSCRIPT", () => script.evalsha(["lua"], ["2"]));
  assert.equal(await script.exec(["lua"], ["2"]), 2); // loads it
  assert.equal(await script.evalsha(["lua"], ["2"]), 4);
  assert.deepEqual(await kv.scriptExists(await kv.scriptLoad("return 1"), "0".repeat(40)), [1, 0]);
  assert.equal(await kv.createScript("return redis.call('GET', KEYS[1])", { readonly: true }).exec(["lua"], []), 4);
  assert.equal(await kv.scriptFlush(), "OK");
  await refused("NOSCRIPT", () => script.evalsha(["lua"], ["2"]));
});

await check("errors", async () => {
  await refused("SIZE_EXCEEDED", () => kv.set("huge", "x".repeat(65537)));
  await refused("BAD_INPUT", () => kv.set("two words", "x"));
  await refused("ERR unknown command 'lpush'", () => kv.lpush("list", "x"));
  await refused("ERR unknown command 'JSON.GET'", () => kv.json.get("doc"));
  await refused("(hint: POST /multi-exec performs a transaction, GET /subscribe/CHANNEL", () => kv.exec(["SUBSCRIBE", "news"]));
});

await check("restart", async () => {
  const before = listen(kv.subscribe("news"), "message");
  await before.began;
  await kv.set("kept", "v");
  await restart();
  assert.equal(await kv.get("kept"), "v"); // it tries again by itself
  const after = kv.subscribe("news"); // but for subscriptions
  const again = listen(after, "message");
  await again.began;
  assert.equal(await kv.publish("news", "again"), 1);
  assert.deepEqual(await again.heard(1), [["news", "again"]]);
});

if (isText) {
  await check("bytes that are no text become U+FFFD", async () => {
    await kv.eval("return redis.call('SET', KEYS[1], '\\255a')", ["bytes"], []);
    assert.equal(await kv.get("bytes"), "\ufffda");
  });
}

end();
