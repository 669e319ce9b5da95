"""What all scripts here share: how they tell the Go test what they saw. See integration/clients_script_test.go."""

import json
import os
import sys
import time
import traceback

host = os.environ["REDIS_HOST"]
port = int(os.environ["REDIS_PORT"])
user = os.environ["REDIS_USER"]
token = os.environ["REDIS_TOKEN"]
url = f"redis://:{token}@{host}:{port}"


def say(**line):
    print(json.dumps(line), flush=True)


def drives(version):
    """Names the version of the package that is driven."""
    say(version=version)


def check(name):
    """Runs the function that it decorates as one check, and tells how it ended."""

    def run(test):
        try:
            test()
            say(check=name, ok=True)
        except Exception:
            say(check=name, ok=False, detail=traceback.format_exc())

    return run


async def checked(name, test):
    """Runs a coroutine function as one check."""
    try:
        await test()
        say(check=name, ok=True)
    except Exception:
        say(check=name, ok=False, detail=traceback.format_exc())


def restart():
    """Has the server killed and started again."""
    say(ask="restart")
    sys.stdin.readline()


def eventually(run, error=Exception):
    """Repeats what may fail for a while, until it works."""
    for left in reversed(range(500)):
        try:
            return run()
        except error:
            if left == 0:
                raise
            time.sleep(0.02)


class refused:
    """Requires the block to fail with a class, and a text that begins with a code."""

    def __init__(self, code, error):
        self.code, self.error = code, error

    def __enter__(self):
        return self

    def __exit__(self, kind, e, tb):
        assert e is not None, f"it was not refused with {self.code}"
        if not isinstance(e, self.error):
            return False
        assert str(e).startswith(self.code), f"{self.code} was expected: {e!r}"
        return True
