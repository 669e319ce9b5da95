"""Tests of the SDK. In sdk/python: python3 -m unittest"""

import logging

# The event loops of tests are in debug mode, and tell of whatever took long on a busy machine.
logging.getLogger("asyncio").setLevel(logging.ERROR)
