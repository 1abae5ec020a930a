"""The numbers the house keeps, and what no tracked file may name."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest

from app.settings import ROOT

LONGEST_FILE, LONGEST_FUNCTION, LONGEST_TEMPLATE = 300, 40, 100


def tracked(*patterns):
    """Files of the checkout; without git, those below it."""
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in done.stdout.split("\n") if name and (ROOT / name).is_file()]


def python_files():
    return [p for p in tracked("*.py") if "migrations/versions" not in str(p)]


def test_no_file_is_longer_than_300_lines():
    long = {
        str(p.relative_to(ROOT)): n
        for p in python_files()
        if (n := p.read_text().count("\n")) > LONGEST_FILE
    }
    assert long == {}


def test_no_function_is_longer_than_40_lines():
    long = {}
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert long == {}


def test_no_template_is_longer_than_100_lines_and_each_fragment_says_what_it_needs():
    templates = tracked("templates/*.html")
    assert len(templates) > 10
    assert {
        p.name: n for p in templates if (n := p.read_text().count("\n")) > LONGEST_TEMPLATE
    } == {}
    silent = [
        p.name
        for p in templates
        if p.parent.name == "fragments" and "needs:" not in p.read_text()[:20]
    ]
    assert silent == []


def test_no_file_names_a_package_index_or_a_path_of_one_machine():
    # Put together here, so that this very file names none.
    hosts = "|".join(("py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.", r"deb\." + "debian"))
    pattern = re.compile(hosts + r"|(?<![\w./$])/(" + "wo" + "rk|fa" + "rm)/")
    found = []
    for path in tracked():
        if (
            "replay" in path.parts
            or path.suffix in (".png", ".db", ".raw")
            or "vendor" in path.parts
        ):
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in pattern.finditer(text)]
    assert found == []


def test_the_locks_name_no_address_and_pin_everything_by_hash():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        pins = re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)
        assert len(pins) > 20
        assert text.count("--hash=sha256:") >= len(pins)


def test_the_newest_migration_is_the_one_the_program_expects():
    from app.schema import HEAD

    versions = sorted(p.stem.split("_")[0] for p in (ROOT / "app/migrations/versions").glob("*.py"))
    assert versions[-1] == HEAD


def test_the_migrations_build_exactly_the_models(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    from app import schema
    from app.db import db
    from app.settings import Settings

    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    schema.migrate(settings)
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), db.metadata)
    engine.dispose()
    assert differences == []


def test_the_powershell_script_parses():
    tree_sitter = pytest.importorskip("tree_sitter")
    powershell = pytest.importorskip("tree_sitter_powershell")
    parser = tree_sitter.Parser(tree_sitter.Language(powershell.language()))
    bad = []
    todo = [parser.parse((ROOT / "scripts/start.ps1").read_bytes()).root_node]
    while todo:
        node = todo.pop()
        if node.is_error or node.is_missing:
            bad.append(f"line {node.start_point[0] + 1}: {node.type}")
        todo += node.children
    assert bad == []


def test_the_readme_and_the_architecture_name_only_files_that_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text() + (ROOT / "README.md").read_text()
    named = set(re.findall(r"`((?:app|engines|scripts|templates|static|tests)/[\w./-]+)`", text))
    assert len(named) > 15
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
