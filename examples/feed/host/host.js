// The platform's page: it knows which app runs in which frame, and relays.
import { appOrigin, cubbyUrl } from "./config.js";
import { httpKv, relay } from "./kv/index.js";
import { buyToken } from "./session.js";

const frame = document.getElementById("app");
const footer = document.getElementById("refused");
let refused = 0;

const frames = relay({
  onRefused() {
    footer.hidden = false;
    footer.textContent = `${++refused} ${refused === 1 ? "request" : "requests"} from a window that is not in the table: not answered`;
  },
});
// What a frame says about itself counts for nothing: its window decides whose store it gets. A frame that is
// sandboxed without allow-same-origin has the origin "null".
frames.add({ window: frame.contentWindow, origin: "null", kv: httpKv({ url: cubbyUrl, token: buyToken }) });
frame.src = appOrigin + "/";
