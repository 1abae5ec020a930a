"""The numbers the house keeps, and what no tracked file may name."""

from __future__ import annotations

import ast
import gc
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from app.settings import ROOT

SIMPLE = {
    ast.Expr, ast.Assign, ast.AnnAssign, ast.Assert, ast.Return, ast.Raise, ast.Import, ast.ImportFrom
}  # fmt: skip
"""Statements that hold no other one; most are one of these."""
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_TEMPLATE, MOST_PARAMETERS = 300, 40, 100, 5


def tracked(*patterns):
    """Files of the checkout; without git, those below it."""
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in done.stdout.split("\n") if name and (ROOT / name).is_file()]


@cache
def tree(path):
    # All of it stays: to walk it again and again for what may go took a third of the time.
    gc.disable()
    try:
        return ast.parse(path.read_text("utf-8"))
    finally:
        gc.enable()


@cache
def statements(path):
    """Every statement of a Python file, taken apart once for all tests: functions, classes and imports
    are some. What is inside an expression is not looked at; it is nine tenths of a file.
    """
    found, todo = [], [*tree(path).body]
    while todo:
        node = todo.pop()
        found.append(node)
        if type(node) in SIMPLE:
            continue
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            todo += getattr(node, name, ())
    return found


def test_statements_are_found_wherever_they_are_nested(tmp_path):
    path = tmp_path / "nested.py"
    path.write_text(
        "if a:\n    import b\nelse:\n    import c\n"
        "try:\n    import d\nexcept E:\n    import e\nelse:\n    import f\nfinally:\n    import g\n"
        "match h:\n    case 1:\n        import i\n"
        "class J:\n    async def k(self):\n        with l:\n            for m in n:\n                import o\n"
        "        while p:\n            import q\n"
    )
    whole = {node for node in ast.walk(tree(path)) if isinstance(node, ast.stmt)}
    assert whole == {node for node in statements(path) if isinstance(node, ast.stmt)}
    assert imported_by(path) == set("bcdefgioq")


def python_files():
    return [p for p in tracked("*.py") if "migrations/versions" not in str(p)]


def test_no_file_is_longer_than_300_lines():
    long = {
        str(p.relative_to(ROOT)): n
        for p in [*python_files(), *tracked("*.sh", "*.ps1", "static/*.js", "static/*.css")]
        if "vendor" not in p.parts
        if (n := p.read_text().count("\n")) > LONGEST_FILE
    }
    assert long == {}


def test_no_function_is_longer_than_40_lines():
    long = {}
    for path in python_files():
        for node in statements(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert long == {}


def test_no_function_takes_more_than_5_parameters_by_position():
    many = {}
    for path in tracked("app/*.py", "engines/*.py", "scripts/*.py"):
        for node in statements(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [a.arg for a in node.args.posonlyargs + node.args.args]
                taken = len([name for name in names if name not in ("self", "cls")])
                if taken > MOST_PARAMETERS:
                    many[f"{path.relative_to(ROOT)}:{node.name}"] = taken
    assert many == {}


def imported_by(path):
    """Top-level packages that a file imports, at its head or inside a function."""
    found = set()
    for node in statements(path):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found


def test_engines_and_the_runner_import_nothing_but_what_they_may():
    pure = sys.stdlib_module_names | {
        "engines", "pydantic", "pydantic_core", "annotated_types", "yaml", "toml"
    }  # fmt: skip
    strangers = {
        str(p.relative_to(ROOT)): extra
        for p in tracked("engines/*.py")
        if (extra := imported_by(p) - pure)
    }
    assert strangers == {}
    # The runner lives as long as the training: small, and free of our environment.
    for name in ("run_job.py", "gpu_readings.py", "slurm/describe_box.py", "slurm/write_config.py"):
        assert imported_by(ROOT / "scripts" / name) <= sys.stdlib_module_names


def test_the_layers_hold():
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


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


@pytest.mark.parametrize(
    ("folder", "kind"), [("e2e", "e2e"), ("cluster", "cluster"), ("real", "engine")]
)
def test_no_unit_test_lies_in_a_folder_that_the_unit_tests_leave_out(folder, kind):
    files = [*(ROOT / "tests" / folder).glob("test_*.py")]
    assert files
    marked = re.compile(rf"^pytestmark = .*pytest\.mark\.{kind}\b", re.MULTILINE)
    assert [path.name for path in files if not marked.search(path.read_text("utf-8"))] == []
    assert f"--ignore=tests/{folder} " in (ROOT / "scripts/test.sh").read_text("utf-8")


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


def definitions():
    """``module.function``, ``module.Class`` and ``Class.method`` of the whole program."""
    found = set()
    for path in tracked("app/*.py", "engines/*.py", "scripts/*.py"):
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                # A package's own functions are named by its folder.
                stem = path.parent.name if path.stem == "__init__" else path.stem
                found.add(f"{stem}.{node.name}")
            if isinstance(node, ast.ClassDef):
                found |= {
                    f"{node.name}.{i.name}" for i in node.body if isinstance(i, ast.FunctionDef)
                }
    return found


def test_the_walk_of_one_job_names_only_functions_that_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    walk = text.partition("## The walk of one job")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+\.\w+)`", walk))
    files = {name for name in named if name.endswith((".json", ".yaml", ".txt"))}
    assert len(named - files) > 30
    assert sorted(named - files - definitions() - {"Platform.watchers"}) == []
