// Two windows that send each other messages, as browsers have them.

/** A host window; frame() makes windows that it can hear. */
export function hostWindow() {
  const listeners = new Set();
  return {
    addEventListener: (_, f) => listeners.add(f),
    removeEventListener: (_, f) => listeners.delete(f),
    deliver: (event) => listeners.forEach((f) => f(event)),
    listeners,
  };
}

/** What a frame at origin has as its parent, and the window that the host knows it by. */
export function frameOf(host, hostOrigin, origin) {
  const window = { name: `frame of ${origin}` };
  const parent = {
    postMessage(message, targetOrigin, ports) {
      const data = structuredClone(message);
      if (targetOrigin !== hostOrigin && targetOrigin !== "*") return; // browsers drop it in silence
      queueMicrotask(() => host.deliver({ data, origin, source: window, ports }));
    },
  };
  return { window, parent };
}
