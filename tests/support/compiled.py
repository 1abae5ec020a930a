"""What hundreds of applications in one process need not work out anew each.

Only what follows from the code is shared: addresses, compiled statements and templates. Whatever
holds data is each application's own.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import MutableMapping
from functools import cache
from types import CodeType
from typing import Any, ClassVar
from weakref import WeakSet

from flask import Blueprint, Flask
from jinja2 import BaseLoader, Environment, Template
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from werkzeug.routing import Map, RuleFactory

from app.db import db
from app.web.routing import LazyRule


class RememberedMap(Map):
    """Each application of ours has the same 220 addresses: the first one's are taken for all that add the
    same. A map of others (moto's server is a Flask application too) stays its own.
    """

    known: ClassVar[dict[tuple[Any, ...], Map]] = {}
    _one_at_a_time: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, *rules: Any, **more: Any) -> None:
        self._added: list[Any] | None = []
        self._is_shared = False
        super().__init__(*rules, **more)

    def add(self, rulefactory: RuleFactory) -> None:
        if self._added is not None:
            self._added.append(rulefactory)
            return
        assert not self._is_shared, "this address would be in all other applications too"
        super().add(rulefactory)

    def update(self) -> None:
        if self._added is not None:
            with self._one_at_a_time:
                if self._added is not None:
                    self._take(self._added)
                    self._added = None
        super().update()

    def _take(self, added: list[Any]) -> None:
        """Bind and sort the addresses, or find it done already."""
        if not added or type(added[-1]) is not LazyRule:
            for factory in added:
                super().add(factory)
            return
        asked = (
            self.host_matching,
            *self.converters.items(),
            *(
                (r.rule, r.endpoint, frozenset(r.methods), r.provide_automatic_options)
                for r in added
            ),
        )
        known = self.known.get(asked)
        if known is None:
            for rule in added:
                super().add(_free(rule))
            super().update()
            known = self.known[asked] = self
        self._matcher, self._rules_by_endpoint = known._matcher, known._rules_by_endpoint
        self._remap, self._is_shared = False, True


def _free(rule: Any) -> Any:
    """The rule, or another like it where it belongs to a map already."""
    if rule.map is None:
        return rule
    free = rule.empty()
    free.provide_automatic_options = rule.provide_automatic_options
    return free


Flask.url_map_class = RememberedMap


class PlainRoutes:
    """The routes of a blueprint as one application got them, for the next; all it does, or not."""

    seen: ClassVar[WeakSet[Blueprint]] = WeakSet()
    known: ClassVar[dict[Blueprint, PlainRoutes]] = {}

    def __init__(self, blueprint: Blueprint, app: Flask, options: dict[str, Any]) -> None:
        endpoints, first = set(app.view_functions), len(app.url_map._added)
        _register(blueprint, app, options)
        self.rules = app.url_map._added[first:]
        self.views = {k: v for k, v in app.view_functions.items() if k not in endpoints}
        self.are_all = len(self.rules) == len(blueprint.deferred_functions)


_register = Blueprint.register


def _register_quickly(blueprint: Blueprint, app: Flask, options: dict[str, Any]) -> None:
    """One that is made for each application anew is never seen twice, and so never kept."""
    routes = PlainRoutes.known.get(blueprint)
    if (
        app.import_name != "app"
        or options
        or blueprint.name in app.blueprints
        or blueprint not in PlainRoutes.seen
    ):
        PlainRoutes.seen.add(blueprint)
        _register(blueprint, app, options)
    elif routes is None:
        routes = PlainRoutes(blueprint, app, options)
        if routes.are_all:
            PlainRoutes.known[blueprint] = routes
    else:
        app.blueprints[blueprint.name] = blueprint
        blueprint._merge_blueprint_funcs(app, blueprint.name)
        app.view_functions.update(routes.views)
        for rule in routes.rules:
            app.url_map.add(rule)


Blueprint.register = _register_quickly


@event.listens_for(Engine, "connect")
def _quick_sqlite(connection: Any, _record: Any) -> None:
    """No test loses power: waiting for the disk at each commit took a quarter of the time."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@cache
def _sqlite() -> Engine:
    """A database in memory that nobody uses: its dialect and its compiled statements are everyone's."""
    engine = create_engine("sqlite://", query_cache_size=5000)
    # At its first connection the dialect learns what this SQLite can.
    engine.connect().close()
    engine.dispose()
    return engine


def share(app: Flask) -> None:
    """Compiling the same statements for each database anew took a tenth of the time."""
    app.jinja_env.loader = CompiledTemplates(app.jinja_env.loader)
    with app.app_context():
        for engine in db.engines.values():
            if engine.dialect.name == "sqlite":
                engine.dialect = _sqlite().dialect
                engine._compiled_cache = _sqlite()._compiled_cache


class CompiledTemplates(BaseLoader):
    """Reading and compiling the templates anew for each application would take half the time."""

    codes: ClassVar[dict[str, CodeType]] = {}

    def __init__(self, real: BaseLoader) -> None:
        self.get_source, self.list_templates = real.get_source, real.list_templates

    def load(
        self, environment: Environment, name: str, globals: MutableMapping[str, Any] | None = None
    ) -> Template:
        code = self.codes.get(name)
        if code is None:
            code = self.codes[name] = self._compiled(environment, name)
        return environment.template_class.from_code(environment, code, globals or {})

    def _compiled(self, environment: Environment, name: str) -> CodeType:
        """As another process has compiled it, if one did: `app.web.template_cache`."""
        source, filename, _ = self.get_source(environment, name)
        cache = environment.bytecode_cache
        if cache is None or filename is None:
            return environment.compile(source, name, filename)
        bucket = cache.get_bucket(environment, name, filename, source)
        if bucket.code is None:
            bucket.code = environment.compile(source, name, filename)
            cache.set_bucket(bucket)
        return bucket.code
