/** What JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Options of every call. */
export interface CallOptions {
  /** Ends the call. It rejects with `network_error`; whether it was performed is not known. */
  signal?: AbortSignal;
}

export interface TtlOptions extends CallOptions {
  /** Seconds until the entry ends; fractions are allowed where the server counts milliseconds. */
  ttlSeconds?: number;
}

export interface AppendOptions extends TtlOptions {
  /** The member by which items are told apart; the default is "id". */
  idKey?: string;
}

export interface ListOptions extends CallOptions {
  prefix?: string;
  /** Rows of a page: 100 when left out, 1000 at most. */
  limit?: number;
  includeValues?: boolean;
  /** Where the last page ended. */
  cursor?: string | null;
}

export interface Row<T = unknown> {
  key: string;
  /** Left out with `includeValues: false`. */
  value?: T;
  /** ISO 8601, or null for never. */
  expires_at: string | null;
  updated_at: string;
  /** Stands for one write of this key. */
  version: number;
}

export interface Page<T = unknown> {
  items: Row<T>[];
  /** For the next page; null at the end. */
  cursor: string | null;
}

/**
 * A store of JSON values. All stores of this package have these methods, so that an app swaps
 * them by configuration. Errors are `KvError`.
 */
export interface KvStore {
  /** The value, or undefined for a missing key. A stored null is null. */
  get<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined>;
  /** Stores a value. Without a TTL an old one is cleared. */
  set(key: string, value: unknown, options?: TtlOptions): Promise<void>;
  /** Tells whether the key was there. */
  delete(key: string, options?: CallOptions): Promise<boolean>;
  /** One page of entries in the order of their keys' bytes. */
  list<T = unknown>(options?: ListOptions): Promise<Page<T>>;
  /** All entries, page by page. */
  iterate<T = unknown>(options?: Omit<ListOptions, "cursor">): AsyncIterableIterator<Row<T>>;
  /** Stores all of the values or none. The TTL is in whole seconds. */
  mset(values: Record<string, unknown>, options?: TtlOptions): Promise<void>;
  /** The values in the order of the keys, undefined for a missing one. */
  mget<T = unknown>(keys: string[], options?: CallOptions): Promise<(T | undefined)[]>;
  /** Lets a key end; false when there is none. 0 or less deletes it. */
  expire(key: string, ttlSeconds: number, options?: CallOptions): Promise<boolean>;
  /** Appends those objects whose id the array does not have, and returns the array. Without a TTL the entry keeps its end. */
  appendUnique<T = unknown>(key: string, items: unknown[], options?: AppendOptions): Promise<T[]>;
  /** Returns the array and removes the key, as one step; [] for a missing key. Never sent twice by itself. */
  popAll<T = unknown>(key: string, options?: CallOptions): Promise<T[]>;
  /** Removes ended entries from memory now and tells how many. They count for nothing in any case. */
  purgeExpired(limit?: number, options?: CallOptions): Promise<number>;
  /** What is used, and the limits in force. */
  usage(options?: CallOptions): Promise<Record<string, unknown>>;
}
