"""The one error that the stores raise."""

from __future__ import annotations

import re


class KvError(Exception):
    """A refused or failed call.

    ``code`` is stable and for programs: ``bad_input``, ``size_exceeded``,
    ``cap_reached``, ``rate_limited``, ``unauthorized``, ``forbidden``,
    ``wrong_type``, ``platform_error``, ``network_error``, or the first word of
    another error reply in lower case (``misconf``, ``oom``, ``busy``).
    ``message`` says what was wrong, ``hint`` what to do about it; it may be
    None. Both are for people.

    After ``network_error`` nobody knows whether the server has performed the
    call: it may be repeated where doing it twice does no harm.
    """

    code: str
    message: str
    hint: str | None

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}"
        return f"{text} (hint: {self.hint})" if self.hint else text


def bad_input(message: str, hint: str | None = None) -> KvError:
    """An argument that breaks a rule."""
    return KvError("bad_input", message, hint)


def not_cubby(what: str) -> KvError:
    """An answer that no Cubby gives."""
    return KvError("network_error", f"the answer is not one of Cubby's: {what}")


_CODES = {
    "ERR": "bad_input",
    "NOAUTH": "unauthorized",
    "WRONGPASS": "unauthorized",
    "NOPERM": "forbidden",
    "WRONGTYPE": "wrong_type",
}

# Redis has texts without a code that begin with a short word in capitals ("DB
# index is out of range"); redis-py takes ERR off, so they must not pass for one.
_REPLY = re.compile(r"(?:(?P<code>[A-Z][A-Z_]{2,}) )?(?P<message>.*)", re.DOTALL)
_HINT = " (hint: "


def from_reply(text: str, code: str | None = None) -> KvError:
    """Reads an error reply ``CODE message (hint: ...)``.

    ``code`` is its first word where redis-py has taken that off already.
    """
    if code is None:
        found = _REPLY.fullmatch(text)
        assert found is not None  # everything in the pattern is optional
        code, text = found["code"] or "ERR", found["message"]
    hint = None
    at = text.rfind(_HINT)
    if at >= 0 and text.endswith(")"):
        text, hint = text[:at], text[at + len(_HINT) : -1]
    return KvError(_CODES.get(code, code.lower()), text, hint)
