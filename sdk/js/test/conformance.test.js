// Runs sdk/conformance/cases.json on every store of this package.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { EphemeralKv, KvError, MockKv, bridgeKv, httpKv, relay, respKv } from "../dist/index.js";
import { frameOf, hostWindow } from "./frames.js";
import { startServer } from "./server.js";

const { cases } = JSON.parse(readFileSync(new URL("../../conformance/cases.json", import.meta.url), "utf8"));
const results = {};
let server;

before(async () => {
  server = await startServer();
});
after(async () => {
  await server.stop();
  const out = process.env.CUBBY_CONFORMANCE_OUT;
  if (!out) return;
  const all = existsSync(out) ? JSON.parse(readFileSync(out, "utf8")) : {};
  writeFileSync(out, JSON.stringify({ ...all, ...results }, null, 2) + "\n");
});

const onServer = async (limits, open) => {
  const { user, token } = await server.app(limits);
  return { now: server.now, advance: server.advance, ...(await open(user, token)) };
};

const [host, port] = ["127.0.0.1", () => Number(server.resp.split(":")[1])];

const stores = {
  "JavaScript, RESP (ioredis)": {
    kind: "server",
    open: (limits) => onServer(limits, async (username, password) => {
      const client = new Redis({ host, port: port(), username, password });
      return { kv: respKv(client), close: () => client.quit() };
    }),
  },
  "JavaScript, RESP (node-redis)": {
    kind: "server",
    open: (limits) => onServer(limits, async (username, password) => {
      const client = createClient({ socket: { host, port: port() }, username, password });
      await client.connect();
      return { kv: respKv(client), close: () => client.close() };
    }),
  },
  "JavaScript, HTTP": {
    kind: "server",
    open: (limits) => onServer(limits, async (_, token) => ({ kv: httpKv({ url: server.http, token }), close() {} })),
  },
  "JavaScript, postMessage": {
    kind: "server",
    open: (limits) => onServer(limits, async (_, token) => {
      const page = hostWindow();
      const { window, parent } = frameOf(page, "https://host.example", "null");
      const r = relay({ window: page });
      r.add({ window, origin: "null", kv: httpKv({ url: server.http, token }) });
      return { kv: bridgeKv({ host: parent, hostOrigin: "https://host.example" }), close: () => r.close() };
    }),
  },
  "JavaScript, EphemeralKv": {
    kind: "local",
    open: async (limits) => {
      let now = 1_800_000_000_000;
      const kv = new EphemeralKv({ valueBytes: 65_536, ttlMinSeconds: 60, ...localLimits(limits), now: () => now });
      return { kv, now: () => now, advance: (s) => (now += Math.round(s * 1000)), close() {} };
    },
  },
  "JavaScript, MockKv": {
    kind: "local",
    open: async (limits) => {
      let now = 1_800_000_000_000;
      const kv = new MockKv({ ...localLimits(limits), startsAt: new Date(now) });
      return { kv, now: () => now, advance: (s) => { kv.advance(s); now += Math.round(s * 1000); }, close() {} };
    },
  },
};

/** The limits of an app as options of a local store. */
function localLimits(limits = {}) {
  const seconds = (text) => (text.endsWith("ms") ? Number(text.slice(0, -2)) / 1000 : Number(text.replace(/s$/, "")));
  const options = {};
  for (const [name, value] of Object.entries(limits)) {
    if (name === "max-keys") options.maxKeys = Number(value);
    else if (name === "value-bytes") options.valueBytes = Number(value);
    else if (name === "ttl-min") options.ttlMinSeconds = seconds(value);
    else if (name === "ttl-max") options.ttlMaxSeconds = seconds(value);
    else throw new Error(`local stores have no limit ${name}`);
  }
  return options;
}

for (const [name, { kind, open }] of Object.entries(stores)) {
  describe(name, () => {
    for (const c of cases.filter((x) => !x.on || x.on.includes(kind))) {
      test(c.name, async () => {
        (results[name] ??= {})[c.name] = false;
        const world = await open(c.limits);
        try {
          for (const [i, step] of c.steps.entries()) await take(world, step, `step ${i}: ${step.op ?? ""}`);
        } finally {
          await world.close();
        }
        results[name][c.name] = true;
      });
    }
  });
}

async function take(world, step, where) {
  if (step.advance !== undefined) return void (await world.advance(step.advance));
  if (step.together !== undefined) {
    const lists = await Promise.all(Array.from({ length: step.together }, () => perform(world, step.steps[0])));
    if (step.union) assert.deepEqual(lists.flat().sort(), step.union);
    return;
  }
  if (step.error !== undefined) {
    const error = await perform(world, step).then((v) => assert.fail(`${where}: it was not refused: ${JSON.stringify(v)}`), (e) => e);
    assert.ok(error instanceof KvError, `${where}: ${error.stack}`);
    assert.equal(error.code, step.error, `${where}: ${error.message}`);
    assert.ok(error.message.length > 0);
    return;
  }
  const got = await perform(world, step);
  if (step.missing) assert.equal(got, undefined, where);
  if (step.returns !== undefined) await compare(world, step, expand(step.returns), got, where);
}

function perform(world, step) {
  const { kv } = world;
  const key = expand(step.key);
  const ttl = step.ttl === undefined ? {} : { ttlSeconds: step.ttl };
  switch (step.op) {
    case "get": return kv.get(key);
    case "set": return kv.set(key, expand(step.value), ttl);
    case "delete": return kv.delete(key);
    case "expire": return kv.expire(key, step.ttl);
    case "mset": return kv.mset(expand(step.entries), ttl);
    case "mget": return kv.mget(step.keys.map(expand));
    case "appendUnique": return kv.appendUnique(key, expand(step.items), { ...ttl, ...(step.idKey && { idKey: step.idKey }) });
    case "popAll": return kv.popAll(key);
    case "purgeExpired": return kv.purgeExpired(step.limit);
    case "usage": return kv.usage();
    case "list": return list(world, step);
  }
  throw new Error(`the operation ${step.op} is unknown`);
}

async function list(world, step) {
  const options = {};
  if (step.prefix !== undefined) options.prefix = step.prefix;
  if (step.limit !== undefined) options.limit = step.limit;
  if (step.values === false) options.includeValues = false;
  if (step.cursor !== undefined) options.cursor = step.cursor === "$" ? world.cursor : step.cursor;
  const page = await world.kv.list(options);
  world.cursor = page.cursor;
  return page;
}

async function compare(world, step, want, got, where) {
  if (step.op === "usage") {
    for (const [name, value] of Object.entries(want)) assert.equal(got[name], value, `${where}: ${name}`);
    return;
  }
  if (step.op === "mget") {
    assert.deepEqual(got, want.map((v) => (v?.$missing ? undefined : v)), where);
    return;
  }
  if (step.op !== "list") return void assert.deepEqual(got, want, where);
  if (step.more !== undefined) assert.equal(got.cursor !== null, step.more, where);
  assert.deepEqual(got.items.map((row) => row.key), want.map((row) => row.key), where);
  const now = await world.now();
  const iso = (ms) => new Date(ms).toISOString();
  for (const [i, row] of want.entries()) {
    const item = got.items[i];
    assert.ok(item.version > 0);
    assert.equal("value" in item, step.values !== false);
    if ("value" in row) assert.deepEqual(item.value, row.value, where);
    if ("expiresIn" in row) assert.equal(item.expires_at, row.expiresIn === null ? null : iso(now + row.expiresIn * 1000), where);
    if ("updatedAgo" in row) assert.equal(item.updated_at, iso(now - row.updatedAgo * 1000), where);
  }
}

/** Puts strings where they are to be repeated. */
function expand(v) {
  if (Array.isArray(v)) return v.map(expand);
  if (typeof v !== "object" || v === null) return v;
  if (v.$repeat) return v.$repeat[0].repeat(v.$repeat[1]);
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, expand(x)]));
}
