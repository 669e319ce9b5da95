// The app's store, over one of two transports. The app itself does not care which.
import { cubbyUrl, hostOrigin } from "./config.js";
import { bridgeKv, httpKv } from "./kv/index.js";
import { buyToken } from "./session.js";

const framed = window.parent !== window;

export const bridge = {
  transport: framed ? "through the host page" : "directly over HTTP",
  kv: framed ? bridgeKv({ hostOrigin }) : httpKv({ url: cubbyUrl, token: buyToken }),
};
