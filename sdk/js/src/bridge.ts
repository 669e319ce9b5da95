import { KvError, networkError } from "./errors.js";
import { encode } from "./json.js";
import { pages } from "./pages.js";
import type { AppendOptions, CallOptions, KvStore, ListOptions, Page, Row, TtlOptions } from "./types.js";

/** What a frame sends to its host. The answer comes through the port that travels with it. */
export interface BridgeRequest {
  cubby: 1;
  id: string;
  method: string;
  args: unknown[];
}

/** What the host answers. */
export type BridgeAnswer =
  | { cubby: 1; id: string; result: unknown }
  | { cubby: 1; id: string; error: { code: string; message: string; hint: string } };

export interface BridgeOptions {
  /** The window that relays; the parent when left out. */
  host?: { postMessage(message: unknown, targetOrigin: string, transfer: Transferable[]): void };
  /** The host's origin, exactly. Requests are given to nobody else. */
  hostOrigin: string;
  /** Milliseconds until a call is given up; 30000 when left out. */
  timeoutMs?: number;
}

/**
 * The store of the app in a sandboxed frame. The page around it relays (see relay) and knows whose app this is;
 * the frame holds no token.
 */
export function bridgeKv(options: BridgeOptions): KvStore {
  return new BridgeKv(options);
}

class BridgeKv implements KvStore {
  readonly #options: BridgeOptions;

  constructor(options: BridgeOptions) {
    this.#options = options;
  }

  /** Every request has a port of its own, and answers come only through it: no other window can forge one. */
  #call<T>(method: string, signal: AbortSignal | undefined, args: unknown[]): Promise<T> {
    const { hostOrigin, timeoutMs = 30_000 } = this.#options;
    const host = this.#options.host ?? globalThis.parent;
    const id = newId();
    const { port1, port2 } = new MessageChannel();
    return new Promise<T>((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        port1.close();
        settle();
      };
      const abort = () => end(() => reject(networkError("the call was given up", signal?.reason)));
      const timer = setTimeout(() => end(() => reject(networkError(`the host did not answer within ${timeoutMs} ms`))), timeoutMs);
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      port1.onmessage = ({ data }: MessageEvent<BridgeAnswer>) => {
        if (data?.cubby !== 1 || data.id !== id) return;
        end(() => {
          if ("error" in data) reject(new KvError(data.error.code, data.error.message, data.error.hint));
          else resolve(data.result as T);
        });
      };
      const request: BridgeRequest = { cubby: 1, id, method, args };
      try {
        host.postMessage(request, hostOrigin, [port2]);
      } catch (e) {
        end(() => reject(networkError("the request could not be sent to the host", e)));
      }
    });
  }

  /** Values travel as JSON, so that what arrives is what is stored. */
  get<T>(key: string, options?: CallOptions): Promise<T | undefined> {
    return this.#call<T | undefined>("get", options?.signal, [key]);
  }

  async set(key: string, value: unknown, { signal, ...options }: TtlOptions = {}): Promise<void> {
    await this.#call("set", signal, [key, JSON.parse(encode(value)), options]);
  }

  delete(key: string, options?: CallOptions): Promise<boolean> {
    return this.#call("delete", options?.signal, [key]);
  }

  list<T>({ signal, ...options }: ListOptions = {}): Promise<Page<T>> {
    return this.#call("list", signal, [options]);
  }

  async *iterate<T>(options: Omit<ListOptions, "cursor"> = {}): AsyncIterableIterator<Row<T>> {
    yield* pages<T>(this, options);
  }

  async mset(values: Record<string, unknown>, { signal, ...options }: TtlOptions = {}): Promise<void> {
    await this.#call("mset", signal, [JSON.parse(encode(values)), options]);
  }

  mget<T>(keys: string[], options?: CallOptions): Promise<(T | undefined)[]> {
    return this.#call("mget", options?.signal, [keys]);
  }

  expire(key: string, ttlSeconds: number, options?: CallOptions): Promise<boolean> {
    return this.#call("expire", options?.signal, [key, ttlSeconds]);
  }

  async appendUnique<T>(key: string, items: unknown[], { signal, ...options }: AppendOptions = {}): Promise<T[]> {
    return await this.#call<T[]>("appendUnique", signal, [key, JSON.parse(encode(items)), options]);
  }

  popAll<T>(key: string, options?: CallOptions): Promise<T[]> {
    return this.#call("popAll", options?.signal, [key]);
  }

  purgeExpired(limit = 1000, options?: CallOptions): Promise<number> {
    return this.#call("purgeExpired", options?.signal, [limit]);
  }

  usage(options?: CallOptions): Promise<Record<string, unknown>> {
    return this.#call("usage", options?.signal, []);
  }
}

/** crypto.randomUUID exists only in secure contexts; getRandomValues everywhere. */
function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
