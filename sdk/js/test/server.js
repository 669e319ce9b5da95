// A real server in memory, whose clock stands still: internal/sdkserver.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

export async function startServer() {
  const dir = mkdtempSync(path.join(tmpdir(), "cubby-sdk-"));
  const binary = path.join(dir, "sdkserver");
  execFileSync("go", ["build", "-o", binary, "./internal/sdkserver"], { cwd: root, stdio: "inherit" });
  const child = spawn(binary, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);
  const addresses = await next();
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let apps = 0;
  let turn = Promise.resolve();
  const ask = (order) => {
    const answer = turn.then(async () => {
      child.stdin.write(JSON.stringify(order) + "\n");
      const got = await next();
      if (got.error) throw new Error(got.error);
      return got;
    });
    turn = answer.catch(() => {});
    return answer;
  };
  return {
    ...addresses,
    ask,
    /** A new namespace and a token for it. */
    app: (limits = {}, scope = {}) => ask({ do: "app", name: `t/app${apps++}`, limits, scope }),
    advance: (seconds) => ask({ do: "advance", ms: Math.round(seconds * 1000) }),
    now: async () => (await ask({ do: "now" })).now,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
    stop: async () => {
      child.stdin.end();
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
