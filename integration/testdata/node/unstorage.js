// unstorage's redis driver.
import assert from "node:assert/strict";
import { createStorage } from "unstorage";
import redisDriver from "unstorage/drivers/redis";
import { check, drives, end, host, port, restart, token, user } from "./lib.js";

drives("unstorage");
const open = (base) => createStorage({ driver: redisDriver({ base, host, port, username: user, password: token, ttl: 3600 }) });
const storage = open("app");

await check("items", async () => {
  await storage.setItem("users:ann", { name: "Änn", n: 1 });
  assert.deepEqual(await storage.getItem("users:ann"), { name: "Änn", n: 1 });
  assert.equal(await storage.hasItem("users:ann"), true);
  assert.equal(await storage.getItem("missing"), null);
  await storage.setItemRaw("raw", Buffer.from([0, 1, 254, 255]));
  assert.deepEqual(Buffer.from(await storage.getItemRaw("raw")), Buffer.from([0, 1, 254, 255]));
  await storage.setItems([{ key: "users:bob", value: "b" }, { key: "users:cid", value: "c" }]);
  assert.deepEqual((await storage.getItems(["users:bob", "users:cid"])).map((i) => i.value), ["b", "c"]);
});

await check("keys by base, and clear within its own", async () => {
  await open("other").setItem("stays", 1);
  assert.deepEqual((await storage.getKeys()).sort(), ["raw", "users:ann", "users:bob", "users:cid"]);
  assert.deepEqual((await storage.getKeys("users")).sort(), ["users:ann", "users:bob", "users:cid"]);
  await storage.removeItem("raw");
  await storage.clear();
  assert.deepEqual(await storage.getKeys(), []);
  assert.equal(await open("other").getItem("stays"), 1);
});

await check("restart", async () => {
  await storage.setItem("kept", "v");
  await restart();
  assert.equal(await storage.getItem("kept"), "v");
});
end();
