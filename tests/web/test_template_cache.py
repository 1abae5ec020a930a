"""Compiled templates beside their sources."""

from __future__ import annotations

import pytest
from jinja2 import DictLoader, Environment

from app.web.template_cache import TemplateCache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    return tmp_path / "__pycache__"


def environment(folder, text):
    return Environment(
        loader=DictLoader({"page.html": text}),
        bytecode_cache=TemplateCache(folder),
        autoescape=True,
    )


def compiled(env, monkeypatch):
    """What this environment had to compile itself."""
    found = []
    usual = env.compile
    monkeypatch.setattr(
        env,
        "compile",
        lambda source, name=None, *rest: found.append(name) or usual(source, name, *rest),
    )
    return found


def test_a_template_that_was_compiled_once_is_read_at_the_next_start(folder, monkeypatch):
    assert environment(folder, "{{ 1 + 1 }}").get_template("page.html").render() == "2"
    env = environment(folder, "{{ 1 + 1 }}")
    again = compiled(env, monkeypatch)
    assert env.get_template("page.html").render() == "2"
    assert again == []


def test_a_template_that_changed_is_compiled_anew(folder, monkeypatch):
    environment(folder, "{{ 1 + 1 }}").get_template("page.html")
    env = environment(folder, "{{ 1 + 2 }}")
    again = compiled(env, monkeypatch)
    assert env.get_template("page.html").render() == "3"
    assert again == ["page.html"]


def test_a_file_that_was_cut_off_is_compiled_anew(folder):
    environment(folder, "{{ 1 + 1 }}").get_template("page.html")
    (kept,) = folder.iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])
    assert environment(folder, "{{ 1 + 1 }}").get_template("page.html").render() == "2"


def test_where_nothing_can_be_kept_the_page_is_shown_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    (tmp_path / "__pycache__").write_text("not a folder")
    env = environment(tmp_path / "__pycache__", "{{ 1 + 1 }}")
    assert env.get_template("page.html").render() == "2"


def test_nothing_is_kept_where_python_keeps_nothing(folder, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    environment(folder, "{{ 1 + 1 }}").get_template("page.html")
    assert not folder.exists()
