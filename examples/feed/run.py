#!/usr/bin/env python3
"""Starts the whole example: a server, a platform's page, an app's page and a worker.

    python3 examples/feed/run.py

It needs Go, Node (for the JavaScript SDK's types) and redis-py, and keeps nothing: its data is in a temporary directory.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from backend import Cubby, Site

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
SDK = REPOSITORY / "sdk" / "js"
APP = "demo/feed"
# Small limits, so that a visitor can meet one.
LIMITS = ["max-keys=200", "value-bytes=1kb"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs the example until Ctrl-C.")
    parser.add_argument("--port", type=int, default=8000, help="of the platform's page; the app's is the next one (0: any two)")
    parser.add_argument("--cubby", help="a built cubby; without it Go builds one")
    parser.add_argument("--token-seconds", type=int, default=600, help="how long a browser's token lasts")
    options = parser.parse_args()
    if importlib.util.find_spec("redis") is None:
        sys.exit(f"{sys.executable} has no redis-py, which the worker needs: pip install redis (Debian: python3-redis)")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    children: list[subprocess.Popen[bytes]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="cubby-feed-") as directory:
            try:
                serve(options, Path(directory), children)
            finally:
                for child in reversed(children):
                    child.terminate()
                    child.wait()
    except KeyboardInterrupt:
        print("stopped")


def serve(options: argparse.Namespace, directory: Path, children: list[subprocess.Popen[bytes]]) -> None:
    build_sdk()
    binary = options.cubby or build_cubby(directory)
    cubby = start_cubby(binary, directory, children)

    platform, app = (Site(HERE / name, port) for name, port in (("host", options.port), ("app", options.port and options.port + 1)))
    # The service token stays in this process. It names no origin, so a page could do nothing with it.
    cubby.token = make_token(binary, cubby, "backend")
    for site in (platform, app):
        site.cubby, site.token_seconds = cubby, options.token_seconds
        site.modules = SDK / "dist"
        site.config = {"hostOrigin": platform.origin, "appOrigin": app.origin, "cubbyUrl": cubby.url}
    platform.frames, app.framed_by = app.origin, platform.origin
    for site in (platform, app):
        threading.Thread(target=site.serve_forever, daemon=True).start()

    environment = {
        **os.environ,
        "CUBBY_URL": f"redis://{APP.replace('/', '%2F')}:{make_token(binary, cubby, 'worker')}@{cubby.address}",
        "PYTHONPATH": str(REPOSITORY / "sdk" / "python"),
    }
    worker = subprocess.Popen([sys.executable, str(HERE / "worker.py")], env=environment)
    children.append(worker)

    print(f"the app in a sandboxed frame: {platform.origin}/")
    print(f"the app by itself:            {app.origin}/")
    print(f"the server:                   {cubby.address} (RESP), {cubby.url} (HTTP)")
    print("Ctrl-C stops everything.", flush=True)
    sys.exit(f"the worker ended with {worker.wait()}")


def build_sdk() -> None:
    """Browsers load the compiled modules as they are; there is no bundler."""
    built = SDK / "dist" / "index.js"
    newest = max(source.stat().st_mtime for source in (SDK / "src").iterdir())
    if built.exists() and built.stat().st_mtime >= newest:
        return
    print("building sdk/js ...", flush=True)
    if not (SDK / "node_modules").exists():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=SDK, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["npm", "run", "--silent", "build"], cwd=SDK, check=True)


def build_cubby(directory: Path) -> str:
    print("building cubby ...", flush=True)
    binary = directory / "cubby"
    subprocess.run(["go", "build", "-o", str(binary), "./cmd/cubby"], cwd=REPOSITORY, check=True)
    return str(binary)


def start_cubby(binary: str, directory: Path, children: list[subprocess.Popen[bytes]]) -> Cubby:
    """Starts a server on two free ports and makes the app. Its admin's password is in its data directory."""
    log = directory / "cubby.log"
    for _ in range(3):  # somebody else may have taken a port that was free a moment ago
        resp, http = free_port(), free_port()
        data = directory / f"data-{resp}"
        data.mkdir()
        with log.open("wb") as out:
            child = subprocess.Popen(
                [binary, "serve", "--bind", "127.0.0.1", "--port", str(resp), "--http-port", str(http), "--dir", str(data)],
                stderr=out,
            )
        children.append(child)
        while child.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", http), timeout=1).close()
            except OSError:
                time.sleep(0.02)
                continue
            cubby = Cubby(address=f"127.0.0.1:{resp}", url=f"http://127.0.0.1:{http}", directory=data)
            admin(binary, cubby, "app", "create", APP, *LIMITS)
            return cubby
    sys.exit(f"cubby did not start:\n{log.read_text()}")


def make_token(binary: str, cubby: Cubby, name: str) -> str:
    return str(json.loads(admin(binary, cubby, "token", "create", APP, "--name", name, "--json"))["token"])


def admin(binary: str, cubby: Cubby, *words: str) -> str:
    done = subprocess.run([binary, *words, "--addr", cubby.address, "--dir", str(cubby.directory)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


if __name__ == "__main__":
    main()
