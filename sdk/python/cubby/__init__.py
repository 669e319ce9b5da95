"""JSON values under keys: the Python SDK of Cubby.

``Kv`` is a store on a server, ``EphemeralKv`` one in this process, ``MockKv`` one
for tests. They have the same methods, described at ``BaseKv``, and raise
``KvError``. ``Context`` holds the persistent and the ephemeral store of an app.
"""

from .base import BaseKv
from .context import Context, ContextKv, from_config
from .errors import KvError
from .kv import Kv
from .memory import EphemeralKv
from .mock import MockKv
from .store import KvStore, Page, Row

__all__ = [
    "BaseKv",
    "Context",
    "ContextKv",
    "EphemeralKv",
    "Kv",
    "KvError",
    "KvStore",
    "MockKv",
    "Page",
    "Row",
    "from_config",
]
__version__ = "0.1.0"
