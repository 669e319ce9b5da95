import { bridge } from "./bridge.js";
import { showTabs } from "./tabs.js";

const refreshEvery = 1000; // milliseconds
const defaults = { name: "", every: 2, rows: 5, note: "", paused: false };
const $ = (id) => document.getElementById(id);
let settings = defaults;

/** Runs a call and shows what went wrong with it. Returns whether it went well. */
async function attempt(call) {
  try {
    await call();
    $("error").hidden = true;
    return true;
  } catch (e) {
    $("error-code").textContent = e.code ?? "error";
    $("error-message").textContent = e.message;
    $("error-hint").textContent = `What to do: ${e.hint}`;
    $("error-hint").hidden = !e.hint;
    $("error").hidden = false;
    return false;
  }
}

async function loadSettings() {
  settings = { ...defaults, ...(await bridge.kv.get("settings")) };
  const { elements } = $("form");
  for (const name of ["name", "every", "rows", "note"]) elements.namedItem(name).value = settings[name];
  elements.namedItem("paused").checked = settings.paused;
  for (const field of elements) field.disabled = false; // before, they would show what is not stored, or lose what is typed
}

async function saveSettings(event) {
  event.preventDefault();
  const form = new FormData($("form"));
  const wanted = {
    name: form.get("name"), every: Number(form.get("every")), rows: Number(form.get("rows")), note: form.get("note"), paused: form.has("paused"),
  };
  $("saved").textContent = "";
  if (await attempt(() => bridge.kv.set("settings", wanted))) {
    settings = wanted;
    $("saved").textContent = "Saved.";
  }
}

async function loadFeed() {
  const rows = [];
  for await (const row of bridge.kv.iterate({ prefix: "activity:" })) rows.push(row);
  rows.reverse(); // keys begin with the time, so the newest is the last
  $("rows").replaceChildren(...rows.slice(0, settings.rows).map(show));
  $("empty").hidden = rows.length > 0;
}

function show({ key, value, updated_at, expires_at }) {
  const item = document.createElement("li");
  item.dataset.key = key;
  const time = document.createElement("time");
  time.dateTime = updated_at;
  time.textContent = new Date(updated_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const text = document.createElement("span");
  text.textContent = value.for ? `For ${value.for}: ${value.text}` : value.text;
  const left = document.createElement("small");
  left.textContent = `gone in ${Math.max(0, Math.round((new Date(expires_at) - Date.now()) / 1000))} s`;
  item.append(time, text, left);
  return item;
}

/** One round after the other, so that a slow server is not asked faster than it answers. */
async function refresh() {
  // What went wrong with the settings stays on the screen until they are tried again.
  if ($("feed").hidden) await loadFeed().catch(() => {});
  else await attempt(loadFeed);
  setTimeout(refresh, refreshEvery);
}

$("transport").textContent = bridge.transport;
$("form").addEventListener("submit", saveSettings);
showTabs(() => ($("error").hidden = true));
await attempt(loadSettings);
await refresh();
