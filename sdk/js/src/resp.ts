import { CommandKv, type Reply, type Transport } from "./commands.js";
import { badInput, errorOfReply, networkError } from "./errors.js";

/** ioredis and its relatives: iovalkey, Valkey GLIDE has customCommand. */
interface WithCall {
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** node-redis. */
interface WithSendCommand {
  sendCommand(args: string[]): Promise<unknown>;
}

/** Valkey GLIDE. */
interface WithCustomCommand {
  customCommand(args: string[]): Promise<unknown>;
}

/** A connected client that signs in to a namespace. It stays its owner's to close. */
export type RespClient = WithCall | WithSendCommand | WithCustomCommand;

/**
 * A store over any client of Redis. Clients that send commands again after a lost connection do so by
 * themselves: ioredis with `maxRetriesPerRequest: 0`, node-redis with `disableOfflineQueue: true` do not,
 * which popAll needs to never lose what it took.
 */
export function respKv(client: RespClient, options: { prefix?: string } = {}): CommandKv {
  return new CommandKv(new RespTransport(client), options.prefix);
}

class RespTransport implements Transport {
  readonly #send: (args: string[]) => Promise<unknown>;

  constructor(client: RespClient) {
    if ("customCommand" in client) this.#send = (args) => client.customCommand(args);
    else if ("call" in client && typeof client.call === "function") this.#send = ([name = "", ...args]) => client.call(name, ...args);
    else if ("sendCommand" in client) this.#send = (args) => client.sendCommand(args);
    else throw badInput("the client has none of the methods call, sendCommand and customCommand");
  }

  async call(args: string[], signal?: AbortSignal): Promise<Reply> {
    if (signal?.aborted) throw networkError("the call was given up", signal.reason);
    try {
      return await (signal ? abortable(this.#send(args), signal) : this.#send(args));
    } catch (e) {
      throw asKvError(e, signal);
    }
  }
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = () => reject(networkError("the call was given up", signal.reason));
    signal.addEventListener("abort", give, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", give));
  });
}

/** Error replies begin with a word in capitals; all else is about the connection. */
function asKvError(e: unknown, signal?: AbortSignal): Error {
  if (e instanceof Error && e.name === "KvError") return e;
  const message = e instanceof Error ? e.message : String(e);
  if (!signal?.aborted && /^[A-Z][A-Z_]+ /.test(message)) return errorOfReply(message);
  return networkError(`the server did not answer: ${message}`, e);
}
