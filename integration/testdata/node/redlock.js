// redlock.
import assert from "node:assert/strict";
import Redlock from "redlock";
import { open } from "./clients.js";
import { check, drives, end } from "./lib.js";

drives("redlock");
const client = await open();
const redlock = new Redlock([client], { retryCount: 0 });
redlock.on("clientError", () => {}); // what fails is looked at where it is called

await check("lock, extend, unlock", async () => {
  const lock = await redlock.lock("locks:account", 10_000);
  const ttl = await client.pttl("locks:account");
  assert.ok(ttl > 8000 && ttl <= 10_000, `${ttl}`);
  await assert.rejects(() => redlock.lock("locks:account", 10_000), Redlock.LockError);
  const longer = await lock.extend(20_000);
  assert.ok((await client.pttl("locks:account")) > 15_000);
  await longer.unlock();
  assert.equal(await client.exists("locks:account"), 0);
});

await check("several at once", async () => {
  const lock = await redlock.lock(["locks:a", "locks:b"], 10_000);
  await assert.rejects(() => redlock.lock("locks:b", 10_000), Redlock.LockError);
  await lock.unlock();
  await (await redlock.lock("locks:b", 10_000)).unlock();
});

await check("who waits gets it", async () => {
  const patient = new Redlock([client], { retryCount: 200, retryDelay: 10, retryJitter: 5 });
  let inside = 0, most = 0;
  await Promise.all(Array.from({ length: 5 }, async () => {
    const lock = await patient.lock("locks:turns", 10_000);
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inside--;
    await lock.unlock();
  }));
  assert.equal(most, 1);
});

await check("only the owner unlocks", async () => {
  const lock = await redlock.lock("locks:mine", 10_000);
  await client.set("locks:mine", "somebody else's", "PX", 10_000);
  await assert.rejects(() => lock.unlock());
  assert.equal(await client.get("locks:mine"), "somebody else's");
});
end();
