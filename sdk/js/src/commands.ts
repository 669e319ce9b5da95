import { badInput, networkError } from "./errors.js";
import { decode, encode } from "./json.js";
import { pages } from "./pages.js";
import type { AppendOptions, CallOptions, KvStore, ListOptions, Page, Row, TtlOptions } from "./types.js";

/** A reply: what a client of Redis, or the HTTP door, makes of one. */
export type Reply = unknown;

/** How commands get to a server. */
export interface Transport {
  /** Sends a command, and never a second time when its reply was lost. It rejects with KvError. */
  call(args: string[], signal?: AbortSignal): Promise<Reply>;
}

/** The words of a TTL. */
function ttlWords(ttlSeconds: number | undefined, wholeOnly = false): string[] {
  if (ttlSeconds === undefined) return [];
  const ms = Math.round(ttlSeconds * 1000);
  if (typeof ttlSeconds !== "number" || !Number.isFinite(ttlSeconds) || Math.abs(ms) > Number.MAX_SAFE_INTEGER) {
    throw badInput(`a TTL of ${String(ttlSeconds)} is no number of seconds`);
  }
  if (ms % 1000 === 0) return ["TTL", String(ms / 1000)];
  if (wholeOnly) throw badInput(`a TTL of ${ttlSeconds} s is not whole seconds, and mset takes no others`);
  return ["PX", String(ms)];
}

const isoTime = (ms: unknown): string | null => (ms === null || ms === undefined ? null : new Date(Number(ms)).toISOString());

/** Pairs, or what a client made of a map. */
function fields(reply: Reply): Map<string, unknown> {
  const found = new Map<string, unknown>();
  if (reply instanceof Map) {
    for (const [k, v] of reply) found.set(String(k), v);
  } else if (Array.isArray(reply)) {
    for (let i = 0; i + 1 < reply.length; i += 2) found.set(String(reply[i]), reply[i + 1]);
  } else if (typeof reply === "object" && reply !== null) {
    for (const [k, v] of Object.entries(reply)) found.set(k, v);
  } else {
    throw notOurs();
  }
  return found;
}

const notOurs = () => networkError("the answer is not one of Cubby's");

function arrayOf(reply: Reply): unknown[] {
  if (!Array.isArray(reply)) throw notOurs();
  return reply;
}

/** A store on a server: the KV commands over any transport. */
export class CommandKv implements KvStore {
  readonly #transport: Transport;
  readonly #prefix: string;

  constructor(transport: Transport, prefix = "") {
    this.#transport = transport;
    this.#prefix = prefix;
  }

  /** A store of the keys under a prefix. It is order, not protection. */
  withPrefix(prefix: string): CommandKv {
    return new CommandKv(this.#transport, this.#prefix + prefix);
  }

  #key(key: string): string {
    if (typeof key !== "string") throw badInput(`a key is a string, not ${typeof key}`);
    return this.#prefix + key;
  }

  async get<T>(key: string, options?: CallOptions): Promise<T | undefined> {
    const reply = await this.#transport.call(["KV.GET", this.#key(key)], options?.signal);
    return reply === null || reply === undefined ? undefined : decode<T>(reply);
  }

  async set(key: string, value: unknown, options?: TtlOptions): Promise<void> {
    await this.#transport.call(["KV.SET", this.#key(key), encode(value), ...ttlWords(options?.ttlSeconds)], options?.signal);
  }

  async delete(key: string, options?: CallOptions): Promise<boolean> {
    return Number(await this.#transport.call(["KV.DEL", this.#key(key)], options?.signal)) === 1;
  }

  async list<T>(options: ListOptions = {}): Promise<Page<T>> {
    const args = ["KV.LIST", "PREFIX", this.#prefix + (options.prefix ?? "")];
    if (options.limit !== undefined) args.push("LIMIT", String(options.limit));
    if (options.cursor) args.push("CURSOR", options.cursor);
    if (options.includeValues === false) args.push("NOVALUES");
    const [next, rows] = arrayOf(await this.#transport.call(args, options.signal));
    const cursor = String(next);
    return { items: arrayOf(rows).map((row) => this.#row<T>(row)), cursor: cursor === "0" ? null : cursor };
  }

  #row<T>(reply: Reply): Row<T> {
    const f = fields(reply);
    const row: Row<T> = {
      key: String(f.get("key")).slice(this.#prefix.length),
      expires_at: isoTime(f.get("expires_at")),
      updated_at: isoTime(f.get("updated_at")) ?? "",
      version: Number(f.get("version")),
    };
    if (f.has("value")) row.value = decode<T>(f.get("value"));
    return row;
  }

  async *iterate<T>(options: Omit<ListOptions, "cursor"> = {}): AsyncIterableIterator<Row<T>> {
    yield* pages<T>(this, options);
  }

  async mset(values: Record<string, unknown>, options?: TtlOptions): Promise<void> {
    const words = ttlWords(options?.ttlSeconds, true);
    const pairs = Object.entries(values).flatMap(([key, value]) => [this.#key(key), encode(value)]);
    if (pairs.length > 0) await this.#transport.call(["KV.MSET", ...words, ...pairs], options?.signal);
  }

  async mget<T>(keys: string[], options?: CallOptions): Promise<(T | undefined)[]> {
    if (keys.length === 0) return [];
    const reply = await this.#transport.call(["KV.MGET", ...keys.map((key) => this.#key(key))], options?.signal);
    return arrayOf(reply).map((text) => (text === null || text === undefined ? undefined : decode<T>(text)));
  }

  async expire(key: string, ttlSeconds: number, options?: CallOptions): Promise<boolean> {
    const [unit, n] = ttlWords(ttlSeconds);
    const command = unit === "PX" ? "PEXPIRE" : "EXPIRE";
    return Number(await this.#transport.call([command, this.#key(key), n ?? ""], options?.signal)) === 1;
  }

  async appendUnique<T>(key: string, items: unknown[], options?: AppendOptions): Promise<T[]> {
    const words = ttlWords(options?.ttlSeconds);
    const args = ["KV.APPENDUNIQUE", this.#key(key), encode(items), ...(words.length > 0 ? words : ["KEEPTTL"])];
    if (options?.idKey !== undefined) args.push("ID", options.idKey);
    return decode<T[]>(await this.#transport.call(args, options?.signal));
  }

  async popAll<T>(key: string, options?: CallOptions): Promise<T[]> {
    return decode<T[]>(await this.#transport.call(["KV.POPALL", this.#key(key)], options?.signal));
  }

  async purgeExpired(limit = 1000, options?: CallOptions): Promise<number> {
    return Number(await this.#transport.call(["KV.PURGE", "LIMIT", String(limit)], options?.signal));
  }

  async usage(options?: CallOptions): Promise<Record<string, unknown>> {
    return Object.fromEntries(fields(await this.#transport.call(["KV.USAGE"], options?.signal)));
  }
}
