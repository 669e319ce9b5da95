import { CommandKv, type Reply, type Transport } from "./commands.js";
import { KvError, errorOfReply, networkError } from "./errors.js";

export interface HttpOptions {
  /** Where the HTTP door is: https://cubby.example.com. */
  url: string;
  /**
   * The token, or a function that fetches one. It is asked again when the server no longer accepts the
   * one it gave, so a page can let its backend buy a new one.
   */
  token: string | (() => string | Promise<string>);
  /** 0 is durable, 1 is gone after a restart of the server. */
  database?: 0 | 1;
  /** Stands before every key; it is order, not protection. */
  prefix?: string;
  /** Milliseconds until a call is given up; 30000 when left out. */
  timeoutMs?: number;
  /** In place of the global fetch. */
  fetch?: typeof fetch;
}

/** A store over HTTP, for browsers and for servers that cannot open sockets. */
export function httpKv(options: HttpOptions): CommandKv {
  return new CommandKv(new HttpTransport(options), options.prefix);
}

class HttpTransport implements Transport {
  readonly #options: HttpOptions;
  #token: Promise<string> | undefined;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  async call(args: string[], signal?: AbortSignal): Promise<Reply> {
    const token = await this.#fetchToken();
    try {
      return await this.#send(token, args, signal);
    } catch (e) {
      // Nothing was performed without a sign-in, so even popAll may be sent again.
      if (typeof this.#options.token !== "function" || !(e instanceof KvError) || e.code !== "unauthorized") throw e;
      this.#token = undefined;
      return await this.#send(await this.#fetchToken(), args, signal);
    }
  }

  #fetchToken(): Promise<string> {
    const { token } = this.#options;
    if (typeof token === "string") return Promise.resolve(token);
    // Calls that come at the same time share one question.
    this.#token ??= Promise.resolve()
      .then(token)
      .catch((e: unknown) => {
        this.#token = undefined;
        throw e instanceof KvError ? e : networkError("no token could be fetched", e);
      });
    return this.#token;
  }

  async #send(token: string, args: string[], signal?: AbortSignal): Promise<Reply> {
    const { url, database, timeoutMs = 30_000, fetch: send = globalThis.fetch } = this.#options;
    const headers: Record<string, string> = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    if (database) headers["Cubby-Database"] = String(database);
    const limit = AbortSignal.timeout(timeoutMs);
    let status: number;
    let body: unknown;
    try {
      const response = await send(url, {
        method: "POST",
        headers,
        body: JSON.stringify(args),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
      status = response.status;
      body = await response.json();
    } catch (e) {
      throw networkError(signal?.aborted ? "the call was given up" : "the server did not answer", e);
    }
    if (typeof body !== "object" || body === null) throw networkError(`the server answered ${status} without an object`);
    if ("error" in body) {
      const { error, message, hint } = body as { error: unknown; message?: unknown; hint?: unknown };
      const parsed = errorOfReply(String(error));
      throw new KvError(parsed.code, typeof message === "string" ? message : parsed.message, typeof hint === "string" ? hint : parsed.hint);
    }
    if (!("result" in body)) throw networkError(`the server answered ${status} without a result`);
    return body.result;
  }
}
