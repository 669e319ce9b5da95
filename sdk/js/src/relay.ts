import type { BridgeAnswer, BridgeRequest } from "./bridge.js";
import { KvError } from "./errors.js";
import type { KvStore } from "./types.js";

/** The methods that a frame may call, with how many arguments. */
const methods: Record<string, number> = {
  get: 1, set: 3, delete: 1, list: 1, mset: 2, mget: 1, expire: 2, appendUnique: 3, popAll: 1, purgeExpired: 1, usage: 0,
};

export interface RelayOptions {
  /** The window of the host page; the global one when left out. */
  window?: Pick<Window, "addEventListener" | "removeEventListener">;
  /** Calls of one frame that may be under way at the same time; 100 when left out. */
  maxPending?: number;
  /** Hears of messages that look like requests and come from nobody in the table. */
  onRefused?: (event: MessageEvent) => void;
}

/** Serves the frames of a host page. */
export interface Relay {
  /**
   * Lets a frame use a store. The frame is known by its window and its exact origin; what it says about itself counts
   * for nothing. The origin of a frame that is sandboxed without allow-same-origin is "null".
   * @returns what takes it off the table again.
   */
  add(frame: { window: unknown; origin: string; kv: KvStore }): () => void;
  /** Answers nobody any more. */
  close(): void;
}

interface Entry {
  window: unknown;
  origin: string;
  kv: KvStore;
  pending: number;
}

/** Relays requests of sandboxed frames (bridgeKv) to stores. */
export function relay(options: RelayOptions = {}): Relay {
  const { window: host = globalThis.window, maxPending = 100, onRefused } = options;
  const table = new Set<Entry>();

  const onMessage = (event: MessageEvent) => {
    const request = event.data as Partial<BridgeRequest> | null;
    const port = event.ports?.[0];
    if (typeof request !== "object" || request?.cubby !== 1 || typeof request.id !== "string" || !port) return;
    const entry = [...table].find((e) => e.window !== null && e.window === event.source && e.origin === event.origin);
    if (!entry) {
      onRefused?.(event); // the port stays as it is: the request may be another relay's
      return;
    }
    void serve(entry, request as BridgeRequest, port);
  };

  const serve = async (entry: Entry, request: BridgeRequest, port: MessagePort) => {
    const { id } = request;
    let answer: BridgeAnswer;
    entry.pending++;
    try {
      if (entry.pending > maxPending) throw new KvError("rate_limited", `more than ${maxPending} calls are under way`, "wait for some of them");
      answer = { cubby: 1, id, result: await perform(entry.kv, request) };
    } catch (e) {
      const known = e instanceof KvError ? e : new KvError("platform_error", "the host could not complete the call");
      answer = { cubby: 1, id, error: { code: known.code, message: known.message, hint: known.hint } };
    } finally {
      entry.pending--;
    }
    // The frame closes its end when it has the answer; closing ours might overtake it.
    if (table.has(entry)) port.postMessage(answer);
    else port.close();
  };

  host.addEventListener("message", onMessage as EventListener);
  return {
    add(frame) {
      const entry = { ...frame, pending: 0 };
      table.add(entry);
      return () => void table.delete(entry);
    },
    close() {
      host.removeEventListener("message", onMessage as EventListener);
      table.clear();
    },
  };
}

async function perform(kv: KvStore, { method, args }: BridgeRequest): Promise<unknown> {
  const count = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (count === undefined || !Array.isArray(args) || args.length > count) {
    throw new KvError("bad_input", `there is no method ${String(method).slice(0, 40)} with these arguments`);
  }
  const run = kv[method as keyof KvStore] as (...args: unknown[]) => Promise<unknown>;
  return await run.apply(kv, args);
}
