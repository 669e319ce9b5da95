import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { EphemeralKv, KvError, MockKv, bridgeKv, httpKv, relay, respKv } from "../dist/index.js";
import { frameOf, hostWindow } from "./frames.js";
import { startServer } from "./server.js";

const rejects = async (code, promise, words = "") => {
  const e = await promise.then((v) => assert.fail(`it was not refused: ${JSON.stringify(v)}`), (x) => x);
  assert.ok(e instanceof KvError, e.stack);
  assert.equal(e.code, code, e.message);
  assert.ok(e.message.includes(words), e.message);
  return e;
};

describe("what JSON cannot say", () => {
  const kv = new EphemeralKv();
  const cycle = {};
  cycle.self = cycle;
  for (const [name, value] of Object.entries({ NaN, Infinity, undefined, symbol: Symbol("x"), function: () => 1, bigint: 1n, cycle,
    "NaN inside": { a: [1, { b: NaN }] }, "undefined in an array": [1, undefined], "a hole": [1, , 2], "a function in an array": [() => 1] })) {
    test(name, () => rejects("bad_input", kv.set("k", value)));
  }
  test("members that are undefined are not there", async () => {
    await kv.set("k", { a: undefined, b: 1, d: new Date(0) });
    assert.deepEqual(await kv.get("k"), { b: 1, d: "1970-01-01T00:00:00.000Z" });
  });
});

describe("EphemeralKv and MockKv", () => {
  test("nothing is shared", async () => {
    const kv = new MockKv();
    const value = { list: [1] };
    await kv.set("k", value);
    value.list.push(2);
    const got = await kv.get("k");
    got.list.push(3);
    assert.deepEqual(await kv.get("k"), { list: [1] });
  });
  test("prefixes and iteration", async () => {
    const kv = new EphemeralKv({ prefix: "p:" });
    for (let i = 0; i < 250; i++) await kv.set(`k${String(i).padStart(3, "0")}`, i);
    const seen = [];
    for await (const row of kv.iterate({ limit: 100, includeValues: false })) seen.push(row.key);
    assert.equal(seen.length, 250);
    assert.equal(seen[249], "k249");
    assert.equal((await kv.usage()).keys, 250);
  });
  test("failures and the clock", async () => {
    const kv = new MockKv({ startsAt: new Date("2026-01-01T00:00:00Z") });
    kv.failNext("network_error", new KvError("rate_limited", "slow down"));
    await rejects("network_error", kv.get("k"));
    await rejects("rate_limited", kv.get("k"), "slow down");
    await kv.set("k", 1, { ttlSeconds: 60 });
    assert.equal((await kv.list()).items[0].expires_at, "2026-01-01T00:01:00.000Z");
    kv.advance(60);
    assert.equal(await kv.get("k"), undefined);
  });
  test("signals", async () => rejects("network_error", new EphemeralKv().get("k", { signal: AbortSignal.abort() })));
});

describe("the bridge", () => {
  const hostOrigin = "https://host.example";
  const setUp = (origin = "null") => {
    const page = hostWindow();
    const refused = [];
    const r = relay({ window: page, onRefused: (e) => refused.push(e), maxPending: 2 });
    const kv = new MockKv();
    const frame = frameOf(page, hostOrigin, origin);
    const remove = r.add({ window: frame.window, origin, kv });
    return { page, r, kv, frame, remove, refused };
  };
  const bridge = (frame, more = {}) => bridgeKv({ host: frame.parent, hostOrigin, timeoutMs: 2000, ...more });

  test("calls arrive, and errors with their codes", async () => {
    const { frame, kv } = setUp("https://app.example");
    const b = bridge(frame);
    await b.set("k", { a: [1, null] }, { ttlSeconds: 60 });
    assert.deepEqual(await kv.get("k"), { a: [1, null] });
    assert.equal(await b.get("none"), undefined);
    const e = await rejects("bad_input", b.set("two words", 1));
    assert.ok(e.message.includes("0x21"));
    await rejects("bad_input", b.set("k", NaN));
  });
  test("another window, another origin and a forged message get nothing", async () => {
    const { page, frame, kv, refused } = setUp("https://app.example");
    await kv.set("secret", 1);
    await rejects("network_error", bridge(frameOf(page, hostOrigin, "https://app.example")).get("secret"), "did not answer");
    assert.equal(refused.length, 1);
    const { port1, port2 } = new MessageChannel();
    const answers = [];
    port1.onmessage = (m) => answers.push(m.data);
    const request = { cubby: 1, id: "1", method: "get", args: ["secret"], app: "acme/other", origin: "https://app.example" };
    page.deliver({ data: request, origin: "https://evil.example", source: frame.window, ports: [port2] }); // it went elsewhere
    page.deliver({ data: request, origin: "https://app.example", source: null, ports: [port2] });
    page.deliver({ data: request, origin: "https://app.example", source: frame.window, ports: [] });
    page.deliver({ data: "cubby", origin: "https://app.example", source: frame.window, ports: [port2] });
    await new Promise((resolve) => setImmediate(resolve));
    port1.close();
    assert.deepEqual(answers, []);
    assert.equal(refused.length, 3);
  });
  test("a request for another host goes nowhere", () => {
    const { frame } = setUp();
    return rejects("network_error", bridge(frame, { hostOrigin: "https://other.example" }).get("k"), "within 2000 ms");
  });
  test("only the methods of a store", async () => {
    const { page, frame } = setUp();
    for (const [method, args] of [["constructor", []], ["__proto__", []], ["advance", [60]], ["get", ["k", {}, 1]], ["get", "k"], [undefined, []]]) {
      const { port1, port2 } = new MessageChannel();
      const answer = new Promise((resolve) => (port1.onmessage = (m) => resolve(m.data)));
      page.deliver({ data: { cubby: 1, id: "x", method, args }, origin: "null", source: frame.window, ports: [port2] });
      assert.equal((await answer).error.code, "bad_input", String(method));
      port1.close();
    }
  });
  test("who is off the table gets nothing; a closed relay listens no more", async () => {
    const { frame, remove, r, page } = setUp();
    assert.equal(await bridge(frame).delete("k"), false);
    remove();
    await rejects("network_error", bridge(frame).delete("k"));
    r.close();
    assert.equal(page.listeners.size, 0);
  });
  test("a frame that floods is told to wait", async () => {
    const { page } = setUp();
    const frame = frameOf(page, hostOrigin, "null");
    const r = relay({ window: page, maxPending: 2 });
    let release;
    const gate = new Promise((resolve) => (release = resolve));
    r.add({ window: frame.window, origin: "null", kv: { get: () => gate } });
    const b = bridge(frame, { timeoutMs: 5000 });
    const calls = [b.get("a"), b.get("b"), b.get("c")];
    await rejects("rate_limited", calls[2]);
    release(7);
    assert.deepEqual(await Promise.all(calls.slice(0, 2)), [7, 7]);
  });
  test("signals", async () => {
    const { frame } = setUp();
    const c = new AbortController();
    const call = bridge(frame, { hostOrigin: "https://nobody.example", timeoutMs: 5000 }).get("k", { signal: c.signal });
    c.abort();
    await rejects("network_error", call, "given up");
    await rejects("network_error", bridge(frame).get("k", { signal: AbortSignal.abort() }), "given up");
  });
  test("faults of the host are not told", async () => {
    const page = hostWindow();
    const frame = frameOf(page, hostOrigin, "null");
    relay({ window: page }).add({ window: frame.window, origin: "null", kv: { get: () => Promise.reject(new Error("password is 1234")) } });
    const e = await rejects("platform_error", bridge(frame).get("k"));
    assert.ok(!e.message.includes("1234"));
  });
});

describe("on a server", () => {
  let server;
  before(async () => { server = await startServer(); });
  after(() => server.stop());

  test("origins and sessions over HTTP", async () => {
    const site = "https://app.example";
    const { token } = await server.app({}, { origins: [site] });
    const from = (origin) => (url, init) => fetch(url, { ...init, headers: { ...init.headers, Origin: origin } });
    await httpKv({ url: server.http, token, fetch: from(site) }).set("k", 1);
    const e = await rejects("forbidden", httpKv({ url: server.http, token, fetch: from("https://evil.example") }).get("k"), "origin");
    assert.ok(e.hint.length > 0);
    await rejects("unauthorized", httpKv({ url: server.http, token: "nobody" }).get("k"));
  });
  test("a token is fetched once, and again when it is no longer good", async () => {
    const { token } = await server.app();
    const given = ["stale", token];
    let asked = 0;
    const kv = httpKv({ url: server.http, token: async () => given[Math.min(asked++, 1)] });
    await Promise.all([kv.set("a", 1), kv.set("b", 2)]);
    await kv.get("a");
    assert.ok(asked >= 2 && asked <= 3, `${asked}`);
    await rejects("network_error", httpKv({ url: server.http, token: () => { throw new Error("no backend"); } }).get("a"), "no token");
  });
  test("database 1 is apart", async () => {
    const { token } = await server.app();
    await httpKv({ url: server.http, token, database: 1 }).set("k", 1, { ttlSeconds: 0.5 });
    assert.equal(await httpKv({ url: server.http, token }).get("k"), undefined);
    assert.equal(await httpKv({ url: server.http, token, database: 1 }).get("k"), 1);
  });
  test("prefixes", async () => {
    const { token } = await server.app();
    const kv = httpKv({ url: server.http, token });
    const jobs = kv.withPrefix("jobs:");
    await jobs.mset({ 1: "a", 2: "b" });
    assert.deepEqual((await jobs.list()).items.map((r) => r.key), ["1", "2"]);
    assert.deepEqual((await kv.list({ prefix: "jobs:" })).items.map((r) => r.key), ["jobs:1", "jobs:2"]);
  });
  test("what is not Cubby", async () => {
    const answers = (body, status = 200) => async () => new Response(body, { status });
    for (const body of ["<html>", "null", "[]", "{}", '"x"']) {
      await rejects("network_error", httpKv({ url: "http://x", token: "t", fetch: answers(body, 502) }).get("k"));
    }
    await rejects("network_error", httpKv({ url: "http://x", token: "t", fetch: answers('{"result":1}') }).list());
    await rejects("network_error", httpKv({ url: "http://127.0.0.1:1", token: "t" }).get("k"), "did not answer");
    assert.throws(() => respKv({}), KvError);
  });
  test("a killed server is a network error", async () => {
    const own = await startServer();
    const { user, token } = await own.app();
    const client = new Redis({ host: "127.0.0.1", port: Number(own.resp.split(":")[1]), username: user, password: token, maxRetriesPerRequest: 0, retryStrategy: () => null });
    client.on("error", () => {});
    const [resp, http] = [respKv(client), httpKv({ url: own.http, token })];
    await resp.set("k", [1]);
    await own.kill();
    await rejects("network_error", resp.popAll("k"));
    await rejects("network_error", http.popAll("k"));
    client.disconnect();
  });
});
