// The clients that libraries are driven on, by the names of their packages.
import { host, port, token } from "./lib.js";

/** Opens ioredis in one of its versions. */
export async function openIORedis(name) {
  const { Redis } = await import(name);
  return new Redis({ host, port, password: token });
}

/** Opens node-redis. */
export async function openNodeRedis() {
  const { createClient } = await import("redis");
  const client = createClient({ socket: { host, port }, password: token });
  client.on("error", () => {}); // what fails is looked at where it is called
  return await client.connect();
}

/** Opens the client that the script's argument names. */
export const name = process.argv[2];
export const isNodeRedis = name === "redis";
export const open = () => (isNodeRedis ? openNodeRedis() : openIORedis(name));

/** Starts an Express app, and returns how to ask it. */
export async function listen(app) {
  const server = await new Promise((resolve) => {
    const s = app.listen(0, "127.0.0.1", () => resolve(s));
  });
  return (path, options) => fetch(`http://127.0.0.1:${server.address().port}${path}`, options);
}
