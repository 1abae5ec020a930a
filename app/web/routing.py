"""Addresses of routes: numbers that a database can hold, and builders that are made at first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import IntegerConverter, Map, Rule


class Number(IntegerConverter):
    """A number that no database holds names nothing, so that its address is unknown."""

    def __init__(self, map: Map, **more: Any) -> None:
        super().__init__(map, **{"max": 2**63 - 1, **more})


class LazyRule(Rule):
    """Compiles what ``url_for`` needs of it when it is first asked.

    werkzeug compiles two functions for each of our 180 routes at every start: 60 ms of a start that
    takes 600, for addresses of which a page uses a dozen.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_it = super()._compile_builder
        made: list[Callable[..., tuple[str, str]]] = []

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            if not made:
                made.append(compile_it(append_unknown))
            return made[0](rule, **values)

        return build
