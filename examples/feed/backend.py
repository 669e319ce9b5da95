"""The web sites of the example: files, and tokens for the browsers that load them."""

from __future__ import annotations

import json
import mimetypes
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Cubby:
    """The server, as the backend knows it."""

    address: str
    url: str
    directory: Path
    token: str = ""

    def buy_token(self, origin: str, seconds: int) -> dict[str, object]:
        """A token that is good in pages of one origin, for a short time, and for nothing else."""
        request = urllib.request.Request(
            self.url + "/v1/session",
            data=json.dumps({"ttl_seconds": seconds, "origins": [origin]}).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            bought = json.load(answer)
        return {"token": bought["token"], "expires_at": bought["expires_at"]}


class Site(ThreadingHTTPServer):
    """One origin. It serves the files of a folder and of shared, the SDK's modules under /kv/, and POST /session."""

    daemon_threads = True
    cubby: Cubby
    modules: Path
    config: dict[str, str]
    token_seconds: int
    frames = "'none'"  # whom it may frame
    framed_by = "'none'"

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.folder = folder
        self.host = f"localhost:{self.server_address[1]}"
        self.origin = f"http://{self.host}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away in the middle is no news; everything else is."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def policy(self) -> str:
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
            f"connect-src 'self' {self.cubby.url}; frame-src {self.frames}; frame-ancestors {self.framed_by}"
        )

    def find(self, path: str) -> Path | None:
        """The file under a path. Only names that are there count, so no path leads out of the folders."""
        folders, name = [self.folder, self.folder.parent / "shared"], path.removeprefix("/") or "index.html"
        if name.startswith("kv/"):
            folders, name = [self.modules], name.removeprefix("kv/")
        return next((file for folder in folders for file in folder.iterdir() if file.name == name and file.is_file()), None)


class Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        if not self.meant_for_us():
            return
        path = self.path.partition("?")[0]
        if path == "/config.js":
            names = "".join(f"export const {name} = {json.dumps(value)};\n" for name, value in self.server.config.items())
            return self.answer(200, "text/javascript", names.encode())
        file = self.server.find(path)
        if file is None:
            return self.answer(404, "text/plain", b"not found\n")
        self.answer(200, mimetypes.guess_type(file.name)[0] or "application/octet-stream", file.read_bytes())

    def do_POST(self) -> None:
        # The body is of no interest, and must not be taken for the next request.
        self.close_connection = True
        if not self.meant_for_us():
            return
        if self.path != "/session":
            return self.answer(404, "text/plain", b"not found\n")
        # A real backend looks here who is signed in, and buys a token for that visitor's keys (prefix).
        if self.headers.get("Origin") != self.server.origin:
            return self.answer(403, "text/plain", b"only for this site's own pages\n")
        try:
            bought = self.server.cubby.buy_token(self.server.origin, self.server.token_seconds)
        except (urllib.error.URLError, OSError):
            return self.answer(502, "text/plain", b"no token could be bought\n")
        self.answer(200, "application/json", json.dumps(bought).encode())

    def meant_for_us(self) -> bool:
        """A name that somebody else has pointed at this machine is not ours."""
        if self.headers.get("Host") == self.server.host:
            return True
        self.answer(421, "text/plain", b"this site has another name\n")
        return False

    def answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", self.server.policy())
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if self.command == "GET":
            # A sandboxed frame has no origin, so even its own modules come from a foreign one. Files hold no secrets.
            self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
