// connect-redis: sessions of Express. The second argument is the name that its
// version is installed under.
import assert from "node:assert/strict";
import express from "express";
import session from "express-session";
import { listen, open } from "./clients.js";
import { check, drives, end, restart, eventually } from "./lib.js";

const store = process.argv[3];
const { RedisStore } = await import(store);
drives(store);

const client = await open();
const redisStore = new RedisStore({ client, prefix: "myapp:" });
const app = express();
app.use(session({
  store: redisStore, resave: false, saveUninitialized: false, secret: "keyboard cat", cookie: { maxAge: 100_000 },
}));
app.get("/visit", (req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1;
  res.json({ visits: req.session.visits, id: req.sessionID });
});
app.get("/logout", (req, res) => req.session.destroy((e) => res.json({ error: e && e.message })));
const ask = await listen(app);

let cookie;
async function visit(path = "/visit") {
  const response = await ask(path, { headers: cookie ? { cookie } : {} });
  cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

await check("a session is kept", async () => {
  assert.equal((await visit()).visits, 1);
  const { visits, id } = await visit();
  assert.equal(visits, 2);
  const ttl = await client.ttl(`myapp:${id}`);
  assert.ok(ttl > 90 && ttl <= 100, `${ttl}`);
});

await check("sessions are counted, listed and cleared", async () => {
  const ask = (method) => new Promise((resolve, reject) => redisStore[method]((e, value) => (e ? reject(e) : resolve(value))));
  assert.equal(await ask("length"), 1);
  assert.deepEqual((await ask("all")).map((s) => s.visits), [2]);
  assert.equal((await ask("ids")).length, 1);
  await ask("clear");
  assert.equal(await ask("length"), 0);
});

await check("a session is destroyed", async () => {
  assert.equal((await visit()).visits, 1);
  assert.equal((await visit("/logout")).error, null);
  assert.equal((await visit()).visits, 1);
});

await check("sessions outlive a restart", async () => {
  await restart();
  assert.equal((await eventually(() => visit())).visits, 2);
});
end();
