// Drives examples/feed in a real browser, over both transports, and attacks it. See integration/example_feed_test.go.
import assert from "node:assert/strict";
import http from "node:http";
import { chromium } from "playwright-core";
import { httpKv } from "../../../sdk/js/dist/index.js";
import { check, drives, end, eventually } from "./lib.js";

const { HOST_URL: hostUrl, APP_URL: appUrl, CUBBY_URL: cubbyUrl, SERVICE_TOKEN: serviceToken, CHROMIUM, SCREENSHOTS: screenshots } = process.env;
const server = httpKv({ url: cubbyUrl, token: serviceToken });

drives("playwright-core");
// Everything that it loads is of this machine, so the browser's own sandbox, which root cannot have, protects nothing.
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });

/** A fresh browser; what its pages complain of is told when a check fails. */
async function visit(url) {
  const context = await browser.newContext({ viewport: { width: 820, height: 780 }, locale: "en-GB", timezoneId: "UTC", colorScheme: "light" });
  const page = await context.newPage();
  page.trouble = [];
  page.on("pageerror", (e) => page.trouble.push(e.stack));
  if (url) await page.goto(url);
  return page;
}

/** Everything that lasts, with versions: any write shows. */
async function lasting() {
  const rows = [];
  for await (const { key, value, version } of server.iterate()) if (!key.startsWith("activity:")) rows.push({ key, value, version });
  return rows;
}

/** Runs an attack, which must leave nothing behind. */
async function unchanged(run) {
  const before = await lasting();
  await run();
  assert.deepEqual(await lasting(), before);
}

const transports = [
  { name: "through the host page", url: hostUrl, app: (page) => page.frameLocator("#app") },
  { name: "directly over HTTP", url: appUrl, app: (page) => page.locator("body") },
];

const openSettings = (app) => app.getByRole("tab", { name: "Settings" }).click();
const save = (app) => app.getByRole("button", { name: "Save" }).click();
const newest = (app) => app.locator("li").first().getAttribute("data-key");

for (const { name, url, app: appIn } of transports) {
  await check(`${name}: settings are there after a reload, in the store and for the worker`, async () => {
    const visitor = `Ada, ${name}`;
    const page = await visit(url);
    const app = appIn(page);
    await app.getByText(name).waitFor();
    await openSettings(app);
    await app.getByLabel("Your name").fill(visitor);
    await app.getByLabel("Seconds between").fill("1");
    await save(app);
    await app.getByText("Saved.").waitFor();
    assert.equal((await server.get("settings")).name, visitor);
    await page.reload();
    await openSettings(app);
    await eventually(async () => assert.equal(await app.getByLabel("Your name").inputValue(), visitor));
    await app.getByRole("tab", { name: "Activity" }).click();
    await app.getByText(`For ${visitor}:`).first().waitFor();
    await page.context().close();
  });

  await check(`${name}: the feed shows the worker's rows and follows it`, async () => {
    const page = await visit(url);
    const app = appIn(page);
    let first;
    await eventually(async () => {
      const shown = await app.locator("li").first().evaluate((item) => ({ key: item.dataset.key, text: item.textContent }));
      const [row] = (await server.list({ prefix: shown.key })).items;
      assert.ok(shown.text.includes(row.value.text));
      assert.ok(row.expires_at, "rows end by themselves");
      first = row.key;
    });
    for (let i = 0, before = first; i < 2; i++) {
      await eventually(async () => assert.ok((await newest(app)) > before));
      before = await newest(app);
    }
    await server.delete(first);
    await app.locator(`li[data-key="${first}"]`).waitFor({ state: "detached" });
    assert.ok((await app.locator("li").count()) <= 5);
    assert.deepEqual(page.trouble, []);
    await page.context().close();
  });

  await check(`${name}: an error shows its code and hint`, async () => {
    const page = await visit(url);
    const app = appIn(page);
    await newest(app);
    await openSettings(app);
    const alert = app.getByRole("alert");
    await app.getByLabel("A note").fill("x".repeat(1200));
    await save(app);
    await alert.getByText("size_exceeded").waitFor();
    await alert.getByText("at most 1024 are allowed").waitFor();
    await app.getByLabel("A note").fill("");
    let keys = 0;
    await eventually(async () => {
      // A row that ends in this moment makes room; then once more.
      await server.delete("settings");
      while (keys < 400 && (await server.set(`filler:${keys}`, 0).then(() => true, () => false))) keys++;
      await save(app);
      await alert.getByText("cap_reached").waitFor({ timeout: 2000 });
    });
    await alert.getByText("What to do: delete unused keys").waitFor();
    for (let i = 0; i < keys; i++) await server.delete(`filler:${i}`);
    await save(app);
    await app.getByText("Saved.").waitFor();
    assert.equal(await alert.isVisible(), false);
    await page.context().close();
  });

  await check(`${name}: a token that is over is renewed`, async () => {
    const page = await visit();
    const answer = await fetch(`${cubbyUrl}/v1/session`, {
      method: "POST", headers: { Authorization: `Bearer ${serviceToken}` }, body: JSON.stringify({ ttl_seconds: 1, origins: [url] }),
    });
    const short = await answer.json();
    let bought = 0;
    await page.route("**/session", (route) => (bought++ === 0 ? route.fulfill({ json: short }) : route.continue()));
    const refused = page.waitForResponse((r) => r.url().startsWith(cubbyUrl) && r.status() === 401);
    await page.goto(url);
    const app = appIn(page);
    await newest(app);
    await refused;
    await eventually(() => assert.equal(bought, 2));
    const before = await newest(app);
    await eventually(async () => assert.ok((await newest(app)) > before));
    assert.equal(await app.getByRole("alert").isVisible(), false);
    await page.context().close();
  });
}

if (screenshots) {
  await server.set("settings", { name: "Ada", every: 2, rows: 10, note: "Look at the feed on Monday.", paused: false });
  const page = await visit(hostUrl);
  const app = page.frameLocator("#app");
  await app.getByText("For Ada:").nth(9).waitFor();
  await page.screenshot({ path: `${screenshots}/feed-activity.png` });
  await openSettings(app);
  await app.getByLabel("A note").fill("Look at the feed on Monday. ".repeat(40));
  await save(app);
  await app.getByRole("alert").waitFor();
  await page.mouse.click(5, 5);
  await page.screenshot({ path: `${screenshots}/feed-settings.png` });
  await page.context().close();
}

await server.set("settings", { name: "Ada" });

// From here on, those who should get nothing.

/** In a page: sends a request to a window as the SDK would, and collects in window.answers whatever comes back. */
const forge = ([target, request]) => {
  window.answers ??= [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => window.answers.push(data);
  const to = target === "opened" ? window.opened : target === "sibling" ? window.parent.frames[0] : target === "self" ? window : window.parent;
  to.postMessage({ cubby: 1, id: "forged", ...request }, "*", [port2]);
};
const theft = { method: "get", args: ["settings"] };
const vandalism = { method: "set", args: ["settings", { name: "Mallory" }] };
const answersIn = (frame) => frame.evaluate(() => window.answers);

/** The app's own frame calls its store; anything that was answered before has arrived after that. */
const rightful = (page) => page.frames()[1].evaluate(async () => (await import(new URL("bridge.js", location.href))).bridge.kv.get("settings"));

const refusedCount = async (page, n) => page.getByRole("status").getByText(`${n} request`).waitFor();

await check("a second frame gets nothing", () => unchanged(async () => {
  const page = await visit(hostUrl);
  await newest(page.frameLocator("#app"));
  await page.evaluate((src) => {
    const second = document.createElement("iframe");
    second.sandbox = "allow-scripts";
    second.src = src;
    document.body.append(second);
  }, appUrl);
  // The same app from the same address asks for its settings by itself; and then this script does.
  await refusedCount(page, 1);
  const second = page.frames()[2];
  await second.evaluate(forge, ["parent", theft]);
  await second.evaluate(forge, ["parent", vandalism]);
  await second.evaluate(forge, ["sibling", { result: "forged" }]);
  await refusedCount(page, 3);
  assert.deepEqual(await rightful(page), { name: "Ada" });
  assert.deepEqual(await answersIn(second), []);
  assert.equal(await second.locator("li").count(), 0);
  assert.equal(await second.locator("#name").inputValue(), "");
  await page.context().close();
}));

await check("a forged message gets nothing", () => unchanged(async () => {
  const page = await visit(hostUrl);
  await newest(page.frameLocator("#app"));
  await page.evaluate(forge, ["self", theft]);
  await page.evaluate(forge, ["self", vandalism]);
  await refusedCount(page, 2);
  assert.deepEqual(await rightful(page), { name: "Ada" });
  assert.deepEqual(await answersIn(page), []);
  const app = page.frames()[1];
  for (const method of ["constructor", "__proto__", "call", "SET"]) await app.evaluate(forge, ["parent", { method, args: ["settings"] }]);
  await app.evaluate(forge, ["parent", { method: "get", args: ["settings"], app: "other/app", token: "cub_x", origin: "https://other.example" }]);
  await eventually(async () => assert.equal((await answersIn(app)).length, 5));
  const [own, ...others] = (await answersIn(app)).sort((a, b) => Number("error" in a) - Number("error" in b));
  assert.deepEqual(own.result, { name: "Ada" }, "what a frame says about itself counts for nothing");
  assert.deepEqual(others.map((a) => a.error.code), Array(4).fill("bad_input"));
  await page.context().close();
}));

const evil = http.createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>evil</title>"));
await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
const evilUrl = `http://localhost:${evil.address().port}`;

await check("a page of another origin gets nothing from the host page or by framing", () => unchanged(async () => {
  const page = await visit(evilUrl);
  for (const url of [hostUrl, appUrl]) {
    await page.evaluate((src) => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.onload = resolve;
      frame.src = src;
      document.body.append(frame);
    }), url);
  }
  assert.deepEqual(page.frames().slice(1).map((f) => f.url()), Array(2).fill("chrome-error://chromewebdata/"));
  const [popup] = await Promise.all([page.waitForEvent("popup"), page.evaluate((url) => void (window.opened = window.open(url)), hostUrl)]);
  await newest(popup.frameLocator("#app"));
  await page.evaluate(forge, ["opened", theft]);
  await page.evaluate(forge, ["opened", vandalism]);
  await refusedCount(popup, 2);
  assert.deepEqual(await rightful(popup), { name: "Ada" });
  assert.deepEqual(await answersIn(page), []);
  await page.context().close();
}));

/** In a page: what came of a request; text is empty where the browser keeps the answer from the page. */
const request = async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    return { status: answer.status, text: await answer.text() };
  } catch (e) {
    return { failed: e.name, text: "" };
  }
};
const asking = (token, ...args) => [cubbyUrl, { method: "POST", headers: { Authorization: `Bearer ${token}` }, body: JSON.stringify(args) }];

await check("a browser's token is of no use in a page of another origin", () => unchanged(async () => {
  const stolen = [];
  for (const url of [hostUrl, appUrl]) {
    const page = await visit(url);
    const { status, text } = await page.evaluate(request, ["/session", { method: "POST" }]);
    assert.equal(status, 200);
    const { token } = JSON.parse(text);
    assert.equal((await page.evaluate(request, asking(token, "GET", "settings"))).status, 200, "at home it works");
    stolen.push(token);
    await page.context().close();
  }
  const page = await visit(evilUrl);
  for (const token of stolen) {
    for (const args of [["GET", "settings"], ["SET", "settings", "{}"], ["FLUSHALL"]]) {
      const got = await page.evaluate(request, asking(token, ...args));
      assert.equal(got.status, 403, JSON.stringify(got));
      assert.equal(JSON.parse(got.text).code, "forbidden");
      assert.ok(!got.text.includes("Ada"));
    }
  }
  // And the two sites of the example are others to each other.
  const app = await visit(appUrl);
  assert.equal((await app.evaluate(request, asking(stolen[0], "GET", "settings"))).status, 403);
  await page.context().close();
  await app.context().close();
}));

await check("no token can be bought from elsewhere", () => unchanged(async () => {
  const elsewhere = await visit(evilUrl);
  const host = await visit(hostUrl);
  await newest(host.frameLocator("#app"));
  for (const [where, url] of [[elsewhere, hostUrl], [elsewhere, appUrl], [host.frames()[1], appUrl], [host.frames()[1], hostUrl]]) {
    assert.deepEqual(await where.evaluate(request, [`${url}/session`, { method: "POST" }]), { failed: "TypeError", text: "" });
  }
  for (const origin of [evilUrl, "null", ""]) {
    const answer = await fetch(`${appUrl}/session`, { method: "POST", headers: origin ? { Origin: origin } : {} });
    assert.equal(answer.status, 403);
  }
  await elsewhere.context().close();
  await host.context().close();
}));

await check("a service token is refused in a page, and in no page", () => unchanged(async () => {
  for (const url of [hostUrl, appUrl, evilUrl]) {
    const page = await visit();
    const loaded = [];
    page.on("response", (r) => loaded.push(r.text().catch(() => "")));
    await page.goto(url);
    for (const args of [["GET", "settings"], ["SET", "settings", "{}"]]) {
      const got = await page.evaluate(request, asking(serviceToken, ...args));
      assert.equal(got.status, 403, JSON.stringify(got));
      assert.equal(JSON.parse(got.text).code, "forbidden");
    }
    assert.ok(!(await Promise.all(loaded)).some((text) => /\bcub_/.test(text)), "no file or answer holds one");
    await page.context().close();
  }
}));

await browser.close();
evil.close();
end();
