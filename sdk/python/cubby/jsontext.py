"""Values to JSON text and back.

Text is compact UTF-8, as the server stores it, so that its size here is the one
that the server's limit is about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from .errors import KvError, bad_input

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(value: Any, what: str = "the value") -> bytes:
    """The JSON text of value. Raises bad_input for what JSON cannot express."""
    try:
        text = _encoder.encode(value)
        _check_names(value)
        return text.encode()
    except UnicodeEncodeError as e:
        surrogate = e.object[e.start]
        raise bad_input(
            f"{what} has a string with half a surrogate pair, U+{ord(surrogate):04X}, which UTF-8 cannot express"
        ) from None
    except (TypeError, ValueError) as e:
        raise bad_input(f"{what} cannot be written as JSON: {e}", _HINT) from None
    except RecursionError:
        raise bad_input(f"{what} cannot be written as JSON: it is nested too deeply") from None


_HINT = "JSON has dict with str keys, list, str, int, float, True, False and None"


def _check_names(value: Any) -> None:
    """Refuses dict keys that are not strings: json would turn 1 into "1"."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            for name in value:
                if not isinstance(name, str):
                    raise TypeError(f"keys must be str, not {type(name).__name__}")
            pending.extend(value.values())
        elif isinstance(value, (list, tuple)):
            pending.extend(value)


def decode(text: bytes | str) -> Any:
    """The value of JSON text. Raises ValueError for what is not JSON, and
    KvError wrong_type for JSON that Python cannot hold."""
    if isinstance(text, bytes):
        text = text.decode()
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise KvError("wrong_type", "the value is nested too deeply for Python") from None
    except _NoConstant:
        raise
    except ValueError:  # a whole number with more digits than int() reads
        return _patient_decoder.decode(text)


class _NoConstant(ValueError):
    pass


def _refuse_constant(name: str) -> Any:
    raise _NoConstant(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
# Decimal knows no limit for digits.
_patient_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=lambda digits: int(Decimal(digits)))


def identity(value: Any) -> Any:
    """A hashable that is the same for the same JSON value: 1 and 1.0, but not
    1 and True, and dicts in any order."""
    if isinstance(value, bool) or value is None:
        return (type(value), value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return frozenset((name, identity(v)) for name, v in value.items())
    return tuple(_identities(value))


def _identities(values: Any) -> Iterator[Any]:
    yield list  # apart from the pair that stands for True
    for value in values:
        yield identity(value)
