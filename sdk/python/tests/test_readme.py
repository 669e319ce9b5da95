"""The README's programs run."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from .servers import Server

SDK = Path(__file__).resolve().parents[1]


class ReadmeTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        text = (SDK / "README.md").read_text("utf-8")
        self.blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        app, test, _ = self.blocks
        (self.directory / "app.py").write_text(app, "utf-8")
        (self.directory / "test_app.py").write_text(test, "utf-8")

    def run_python(self, *args: str, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error::ResourceWarning", *args],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(SDK), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_app(self) -> None:
        server = Server()
        self.addCleanup(server.stop)
        at = server.app({"ttl-min": "1ms", "ttl-max": "0"})
        url = f"redis://{at['app'].replace('/', '%2F')}:{at['token']}@{at['host']}:{at['port']}"
        for config in (url, "memory:"):
            lines = self.run_python("app.py", CUBBY=config).splitlines()
            self.assertEqual(lines[:3], ["ada 1", "bob 1", "ada 2"])
            self.assertRegex(lines[3], r"^visits:ada 2 until 20\d\d-.*Z$")
            self.assertRegex(lines[5], r"^bad_input - ")

    def test_tests(self) -> None:
        self.run_python("-m", "unittest", "test_app")

    def test_ways_to_a_store(self) -> None:
        async def main() -> None:
            exec(compile(self.blocks[2], "README.md", "exec"), {})

        asyncio.run(main())
