import { KvError, badInput, networkError } from "./errors.js";
import { encode } from "./json.js";
import { pages } from "./pages.js";
import type { AppendOptions, CallOptions, KvStore, ListOptions, Page, Row, TtlOptions } from "./types.js";

export interface EphemeralOptions {
  /** Stands before every key. */
  prefix?: string;
  /** Most keys that may live; no bound when left out. */
  maxKeys?: number;
  /** Longest value as JSON text, in bytes; no bound when left out. */
  valueBytes?: number;
  /** Bounds of a TTL in seconds: 0.001 and 31536000 when left out. */
  ttlMinSeconds?: number;
  ttlMaxSeconds?: number;
  /** Lets keys have any characters; otherwise 0x21 to 0x7E, as on a server. */
  anyKey?: boolean;
  /** The time in milliseconds; Date.now when left out. */
  now?: () => number;
}

interface Entry {
  text: string;
  updatedAt: number;
  expiresAt: number | null;
  version: number;
}

const keyBytes = 256;
const maxPage = 1000;
const utf8 = new TextEncoder();

/** A store inside of this process, gone at its end. It judges keys, TTLs and JSON as a server does. */
export class EphemeralKv implements KvStore {
  readonly #entries: Map<string, Entry>;
  readonly #options: EphemeralOptions;
  readonly #prefix: string;
  #version = 0;

  constructor(options: EphemeralOptions = {}) {
    this.#options = options;
    this.#prefix = options.prefix ?? "";
    this.#entries = new Map();
  }

  /** The time that entries end by, in milliseconds. */
  protected now(): number {
    return (this.#options.now ?? Date.now)();
  }

  /** Runs before every call; what it throws is the call's error. */
  protected before(options?: CallOptions): void {
    if (options?.signal?.aborted) throw networkError("the call was given up", options.signal.reason);
  }

  async get<T>(key: string, options?: CallOptions): Promise<T | undefined> {
    this.before(options);
    const text = this.#find(this.#key(key))?.text;
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  async set(key: string, value: unknown, options?: TtlOptions): Promise<void> {
    this.before(options);
    const k = this.#key(key);
    const text = this.#text(value);
    const expiresAt = this.#end(options?.ttlSeconds);
    this.#makeRoom([k]);
    this.#put(k, text, expiresAt);
  }

  async delete(key: string, options?: CallOptions): Promise<boolean> {
    this.before(options);
    return this.#remove(this.#key(key));
  }

  async list<T>(options: ListOptions = {}): Promise<Page<T>> {
    this.before(options);
    const { limit = 100, cursor } = options;
    if (!Number.isInteger(limit) || limit < 1) throw badInput(`a limit of ${limit} is out of bounds; at least 1 is allowed`);
    const prefix = this.#prefix + (options.prefix ?? "");
    const after = cursor ? cursorKey(cursor) : undefined;
    const keys = [...this.#entries.keys()]
      .filter((k) => k.startsWith(prefix) && (after === undefined || byBytes(k, after) > 0) && this.#find(k))
      .sort(byBytes);
    const page = keys.slice(0, Math.min(limit, maxPage));
    const last = page.length < keys.length ? page.at(-1) : undefined;
    return {
      items: page.map((k) => this.#row<T>(k, options.includeValues !== false)),
      cursor: last === undefined ? null : "k" + encodeURIComponent(last),
    };
  }

  async *iterate<T>(options: Omit<ListOptions, "cursor"> = {}): AsyncIterableIterator<Row<T>> {
    yield* pages<T>(this, options);
  }

  async mset(values: Record<string, unknown>, options?: TtlOptions): Promise<void> {
    this.before(options);
    const ttl = options?.ttlSeconds;
    if (ttl !== undefined && !Number.isInteger(ttl)) throw badInput(`a TTL of ${ttl} s is not whole seconds, and mset takes no others`);
    const expiresAt = this.#end(ttl);
    const list = Object.entries(values).map(([key, value]) => [this.#key(key), this.#text(value)] as const);
    this.#makeRoom(list.map(([k]) => k));
    for (const [k, text] of list) this.#put(k, text, expiresAt);
  }

  async mget<T>(keys: string[], options?: CallOptions): Promise<(T | undefined)[]> {
    this.before(options);
    return keys
      .map((key) => this.#key(key))
      .map((k) => this.#find(k))
      .map((e) => (e ? (JSON.parse(e.text) as T) : undefined));
  }

  async expire(key: string, ttlSeconds: number, options?: CallOptions): Promise<boolean> {
    this.before(options);
    const k = this.#key(key);
    const ms = milliseconds(ttlSeconds);
    if (ms <= 0) return this.#remove(k);
    const expiresAt = this.#end(ttlSeconds);
    const entry = this.#find(k);
    if (!entry) return false;
    entry.expiresAt = expiresAt;
    entry.version = ++this.#version;
    return true;
  }

  async appendUnique<T>(key: string, items: unknown[], options?: AppendOptions): Promise<T[]> {
    this.before(options);
    const k = this.#key(key);
    const idKey = options?.idKey ?? "id";
    const added = JSON.parse(encode(items)) as unknown;
    if (!Array.isArray(added)) throw badInput("the items are no array");
    const ids = added.map((item, i) => idOf(item, idKey, i));
    const entry = this.#find(k);
    const stored = entry ? (JSON.parse(entry.text) as unknown) : [];
    if (!Array.isArray(stored) || !stored.every(isObject)) {
      throw new KvError("wrong_type", "value is not a JSON array of objects, it is not changed");
    }
    const known = new Set(stored.filter((item) => item[idKey] !== undefined).map((item) => canonical(item[idKey])));
    const result = [...stored];
    added.forEach((item, i) => {
      const id = ids[i] ?? "";
      if (!known.has(id)) result.push(item as Record<string, unknown>);
      known.add(id);
    });
    const expiresAt = options?.ttlSeconds === undefined ? (entry?.expiresAt ?? null) : this.#end(options.ttlSeconds);
    const text = this.#text(result);
    this.#makeRoom([k]);
    this.#put(k, text, expiresAt);
    return JSON.parse(text) as T[];
  }

  async popAll<T>(key: string, options?: CallOptions): Promise<T[]> {
    this.before(options);
    const k = this.#key(key);
    const entry = this.#find(k);
    if (!entry) return [];
    const value = JSON.parse(entry.text) as unknown;
    if (!Array.isArray(value)) throw new KvError("wrong_type", "value is not a JSON array, it is kept");
    this.#entries.delete(k);
    return value as T[];
  }

  async purgeExpired(limit = 1000, options?: CallOptions): Promise<number> {
    this.before(options);
    if (!Number.isInteger(limit) || limit < 1) throw badInput(`a limit of ${limit} is out of bounds; at least 1 is allowed`);
    const now = this.now();
    const ended = [...this.#entries].filter(([, e]) => e.expiresAt !== null && e.expiresAt <= now);
    ended.sort(([, a], [, b]) => Number(a.expiresAt) - Number(b.expiresAt));
    for (const [k] of ended.slice(0, limit)) this.#entries.delete(k);
    return Math.min(ended.length, limit);
  }

  async usage(options?: CallOptions): Promise<Record<string, unknown>> {
    this.before(options);
    const live = this.#live();
    const bytes = live.reduce((sum, [k, e]) => sum + utf8.encode(k).length + utf8.encode(e.text).length, 0);
    return { keys: live.length, bytes, "max-keys": this.#options.maxKeys ?? null, "value-bytes": this.#options.valueBytes ?? null };
  }

  #live(): [string, Entry][] {
    const now = this.now();
    return [...this.#entries].filter(([, e]) => e.expiresAt === null || e.expiresAt > now);
  }

  #key(key: string): string {
    if (typeof key !== "string") throw badInput(`a key is a string, not ${typeof key}`);
    const k = this.#prefix + key;
    const length = utf8.encode(k).length;
    if (length < 1 || length > keyBytes) throw badInput(`the key has ${length} bytes; 1 to ${keyBytes} are allowed`);
    const wrong = this.#options.anyKey ? -1 : k.search(/[^\x21-\x7e]/);
    if (wrong >= 0) {
      throw badInput(`the key has a character at position ${wrong} that is not allowed; allowed are 0x21 to 0x7E (printable ASCII without blanks)`);
    }
    return k;
  }

  #text(value: unknown): string {
    const text = encode(value);
    const { valueBytes } = this.#options;
    if (valueBytes !== undefined) {
      const length = utf8.encode(text).length;
      if (length > valueBytes) throw new KvError("size_exceeded", `the value is ${length} bytes; at most ${valueBytes} are allowed`);
    }
    return text;
  }

  #end(ttlSeconds: number | undefined): number | null {
    if (ttlSeconds === undefined) return null;
    const ms = milliseconds(ttlSeconds);
    const { ttlMinSeconds = 0.001, ttlMaxSeconds = 31_536_000 } = this.#options;
    if (ms < ttlMinSeconds * 1000 || ms > ttlMaxSeconds * 1000) {
      throw badInput(`the TTL of ${ttlSeconds} s is out of bounds; allowed are ${ttlMinSeconds} s to ${ttlMaxSeconds} s`);
    }
    return this.now() + ms;
  }

  /** Refuses keys that would exceed the cap. */
  #makeRoom(keys: string[]): void {
    const { maxKeys } = this.#options;
    if (maxKeys === undefined) return;
    const more = new Set(keys.filter((k) => !this.#find(k))).size;
    const live = this.#live().length;
    if (more > 0 && live + more > maxKeys) {
      throw new KvError("cap_reached", `the store holds ${live} of ${maxKeys} keys; ${more} more are refused`, "delete unused keys or set a TTL");
    }
  }

  #find(k: string): Entry | undefined {
    const entry = this.#entries.get(k);
    return entry && (entry.expiresAt === null || entry.expiresAt > this.now()) ? entry : undefined;
  }

  #put(k: string, text: string, expiresAt: number | null): void {
    this.#entries.set(k, { text, expiresAt, updatedAt: this.now(), version: ++this.#version });
  }

  #remove(k: string): boolean {
    const there = this.#find(k) !== undefined;
    this.#entries.delete(k);
    return there;
  }

  #row<T>(k: string, withValue: boolean): Row<T> {
    const e = this.#find(k);
    if (!e) throw networkError("an entry ended while it was listed");
    const row: Row<T> = {
      key: k.slice(this.#prefix.length),
      expires_at: e.expiresAt === null ? null : new Date(e.expiresAt).toISOString(),
      updated_at: new Date(e.updatedAt).toISOString(),
      version: e.version,
    };
    if (withValue) row.value = JSON.parse(e.text) as T;
    return row;
  }
}

function milliseconds(ttlSeconds: number): number {
  const ms = Math.round(ttlSeconds * 1000);
  if (typeof ttlSeconds !== "number" || !Number.isSafeInteger(ms)) throw badInput(`a TTL of ${String(ttlSeconds)} is no number of seconds`);
  return ms;
}

/** The key that a page ended with. */
function cursorKey(cursor: string): string {
  try {
    if (cursor.startsWith("k")) return decodeURIComponent(cursor.slice(1));
  } catch {
    // falls through
  }
  throw badInput("the cursor is not one of a listing");
}

/** Compares as UTF-8 bytes, which is the order of code points. */
function byBytes(a: string, b: string): number {
  const [x, y] = [utf8.encode(a), utf8.encode(b)];
  for (let i = 0; i < x.length && i < y.length; i++) {
    const d = (x[i] ?? 0) - (y[i] ?? 0);
    if (d !== 0) return d;
  }
  return x.length - y.length;
}

function isObject(v: unknown): v is Record<string, unknown> {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

function idOf(item: unknown, idKey: string, i: number): string {
  if (!isObject(item)) throw badInput(`item ${i} is not an object`);
  const id = item[idKey];
  if (id === undefined || id === null) throw badInput(`item ${i} has no "${idKey}"`);
  return canonical(id);
}

/** Texts are equal exactly when the values are, as JSON. */
function canonical(v: unknown): string {
  return JSON.stringify(v, (_, x: unknown) =>
    isObject(x) ? Object.fromEntries(Object.entries(x).sort(([a], [b]) => (a < b ? -1 : 1))) : x,
  );
}
