import { badInput } from "./errors.js";

/** Writes JSON, and refuses what JSON.stringify would change in silence. */
export function encode(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, function (this: unknown, key: string, v: unknown): unknown {
      if (typeof v === "number" && !Number.isFinite(v)) throw badInput(`${v} cannot be written as JSON`);
      // In an object an undefined member is one that is not there. In an array it would become null.
      if (Array.isArray(this) && (v === undefined || typeof v === "function" || typeof v === "symbol")) {
        throw badInput(`item ${key} of an array is ${typeof v}, which cannot be written as JSON`);
      }
      return v;
    });
  } catch (e) {
    if (e instanceof Error && e.name === "KvError") throw e;
    throw badInput(`the value cannot be written as JSON: ${e instanceof Error ? e.message : String(e)}`);
  }
  if (text === undefined) throw badInput(`a value of type ${typeof value} cannot be written as JSON`);
  return text;
}

/** Reads JSON of a server. */
export function decode<T>(text: unknown): T {
  return JSON.parse(String(text)) as T;
}
