"""YAML, read and written by libyaml where PyYAML was built with it: several times as fast.

What people hand us may be anything. libyaml follows nested groups by calling itself, without an eye on
the stack, so a text that could nest that deep is left to the reader in Python, which gives up; aliases
let a short text stand for billions of values; and what looks like a date may be none. ``read`` answers
all of this with a YAMLError.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

MOST_VALUES = 20_000
"""More than any config has."""
DEEPEST = 100
_SAFE_FOR_LIBYAML = 400
_MARGIN = re.compile("(?:^|[\r\n\x85\u2028\u2029])[ \t\ufeff?:-]*")
"""What opens groups without brackets: the front of a line, by its indentation, dashes and the like."""

_EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$")


class TooDeepError(yaml.YAMLError):
    """More groups inside each other than any config has."""


class TooLargeError(yaml.YAMLError):
    """More values than any config has; a text of aliases can stand for billions."""


def _with_exponents(base: Any) -> Any:
    loader: Any = type("Loader", (base,), {})
    loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))
    return loader


_LOADERS = {
    (exponents, slow): _with_exponents(base) if exponents else base
    for slow, base in ((False, LOADER), (True, yaml.SafeLoader))
    for exponents in (False, True)
}


def read(text: str, *, exponents: bool = False) -> Any:
    """The document. Raises YAMLError, and nothing else.

    ``exponents``: a bare ``1e-4`` is a number, as for ai-toolkit's own reader; YAML wants ``1.0e-4``.
    """
    loader = _LOADERS[exponents, _may_nest(text) > _SAFE_FOR_LIBYAML]
    try:
        document = yaml.load(text, Loader=loader)
    except RecursionError as error:
        raise TooDeepError("it is nested too deeply") from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        # PyYAML's own constructors: a month 13, a number of 5000 digits, !!bool perhaps.
        raise yaml.YAMLError(f"a value is not of its type: {error}") from error
    count(document)
    return document


def _may_nest(text: str) -> int:
    """At most so many groups stand inside each other."""
    margin = max(len(found) for found in _MARGIN.findall(text))
    return text.count("[") + text.count("{") + 2 * margin


def count(document: Any) -> int:
    """How many values a document holds, whatever it was read from; a list of plain values is one.

    Raises TooDeepError or TooLargeError.
    """
    left, seen, found = [(document, 0)], 0, 0
    while left:
        value, depth = left.pop()
        seen += 1
        if depth > DEEPEST:
            raise TooDeepError("it is nested too deeply")
        if isinstance(value, dict):
            left.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list) and any(isinstance(entry, dict | list) for entry in value):
            left.extend((inner, depth + 1) for inner in value)
        else:
            found += 1
        if seen + len(left) > MOST_VALUES:
            raise TooLargeError(f"it holds more than {MOST_VALUES} values")
    return found
