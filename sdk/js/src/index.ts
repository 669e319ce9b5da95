export { bridgeKv, type BridgeOptions } from "./bridge.js";
export { CommandKv, type Reply, type Transport } from "./commands.js";
export { EphemeralKv, type EphemeralOptions } from "./ephemeral.js";
export { KvError, type KvErrorCode } from "./errors.js";
export { httpKv, type HttpOptions } from "./http.js";
export { MockKv } from "./mock.js";
export { relay, type Relay, type RelayOptions } from "./relay.js";
export { respKv, type RespClient } from "./resp.js";
export type { AppendOptions, CallOptions, Json, KvStore, ListOptions, Page, Row, TtlOptions } from "./types.js";
