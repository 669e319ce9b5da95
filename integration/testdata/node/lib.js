// What all scripts here share: how they tell the Go test what they saw.
// See integration/clients_script_test.go.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import readline from "node:readline";

const env = process.env;
export const host = env.REDIS_HOST;
export const port = Number(env.REDIS_PORT);
export const user = env.REDIS_USER;
export const token = env.REDIS_TOKEN;
export const url = `http://${host}:${env.REDIS_WEB_PORT}`; // of the HTTP door
export const protocol = Number(env.REDIS_PROTOCOL);

const say = (line) => console.log(JSON.stringify(line));

/** Names the version of the package that is driven. */
export function drives(name) {
  say({ version: createRequire(import.meta.url)(`./node_modules/${name}/package.json`).version });
}

/** Runs one check and tells how it ended. */
export async function check(name, run) {
  try {
    await run();
    say({ check: name, ok: true });
  } catch (e) {
    say({ check: name, ok: false, detail: e.stack || String(e) });
  }
}

const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has the server killed and started again. */
export async function restart() {
  say({ ask: "restart" });
  await answers.next();
}

/** Repeats what may fail for a while, until it does what it should. */
export async function eventually(run) {
  for (let tries = 0; ; tries++) {
    try {
      return await run();
    } catch (e) {
      if (tries === 500) throw e;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Rejects unless run is refused with an error whose message begins with code. */
export async function refused(code, run) {
  let error;
  try {
    await run();
  } catch (e) {
    error = e;
  }
  assert.ok(error, `it was not refused with ${code}`);
  assert.ok(error.message.startsWith(code), `${code} was expected: ${error.message}`);
  return error;
}

/** Ends the script although connections may still be open. */
export const end = () => process.exit(0);
