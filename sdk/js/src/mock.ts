import { EphemeralKv, type EphemeralOptions } from "./ephemeral.js";
import { KvError } from "./errors.js";
import type { CallOptions } from "./types.js";

/**
 * A store for tests of apps: no server, no waiting. Keys, TTLs and sizes are judged as on a server with default
 * limits; caps are off unless given. Its clock moves only when told to.
 */
export class MockKv extends EphemeralKv {
  #time: number;
  #failures: KvError[] = [];

  constructor(options: Omit<EphemeralOptions, "now"> & { startsAt?: Date } = {}) {
    const { startsAt = new Date(), ...rest } = options;
    super({ ttlMinSeconds: 60, ttlMaxSeconds: 31_536_000, valueBytes: 65_536, ...rest });
    this.#time = startsAt.getTime();
  }

  protected override now(): number {
    return this.#time;
  }

  protected override before(options?: CallOptions): void {
    super.before(options);
    const failure = this.#failures.shift();
    if (failure) throw failure;
  }

  /** Moves the clock. */
  advance(seconds: number): void {
    this.#time += Math.round(seconds * 1000);
  }

  /** Lets the next call fail, and with more errors the ones after it. */
  failNext(...errors: (KvError | string)[]): void {
    this.#failures.push(...errors.map((e) => (typeof e === "string" ? new KvError(e, `the mock was told to fail with ${e}`) : e)));
  }
}
