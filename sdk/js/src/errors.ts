/** The words that every SDK of Cubby raises; a newer server may send others. */
export type KvErrorCode =
  | "bad_input"
  | "size_exceeded"
  | "cap_reached"
  | "rate_limited"
  | "wrong_type"
  | "unauthorized"
  | "forbidden"
  | "platform_error"
  | "network_error"
  | (string & {});

/** Every error of this package. `code` is stable; `message` and `hint` are for people. */
export class KvError extends Error {
  readonly code: KvErrorCode;
  readonly hint: string;

  constructor(code: KvErrorCode, message: string, hint = "", options?: ErrorOptions) {
    super(message, options);
    this.name = "KvError";
    this.code = code;
    this.hint = hint;
  }
}

export const badInput = (message: string, hint = ""): KvError => new KvError("bad_input", message, hint);

export const networkError = (message: string, cause?: unknown): KvError =>
  new KvError("network_error", message, "", cause === undefined ? undefined : { cause });

const renamed: Record<string, KvErrorCode> = {
  ERR: "bad_input",
  NOAUTH: "unauthorized",
  WRONGPASS: "unauthorized",
  NOPERM: "forbidden",
  WRONGTYPE: "wrong_type",
};

/** Turns the text of an error reply, `CODE message (hint: what to do)`, into an error. */
export function errorOfReply(text: string): KvError {
  const parts = /^([A-Z][A-Z_]*) ([\s\S]*)$/.exec(text);
  const word = parts?.[1] ?? "ERR";
  let message = parts?.[2] ?? text;
  let hint = "";
  const at = message.lastIndexOf(" (hint: ");
  if (at >= 0 && message.endsWith(")")) {
    hint = message.slice(at + " (hint: ".length, -1);
    message = message.slice(0, at);
  }
  return new KvError(renamed[word] ?? word.toLowerCase(), message, hint);
}
