"""What the documents say is there: files, headings, buttons; and the API reference is the program's."""

from __future__ import annotations

import ast
import html
import re
from functools import cache
from pathlib import Path

import pytest

from app.settings import ROOT, SETTINGS
from app.web import prometheus
from app.web.api.registry import OPERATIONS
from engines.fields import table
from scripts import api_reference

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
QUOTING = [
    (ROOT / "README.md", 10),
    (ROOT / "docs" / "user-guide.md", 60),
    (ROOT / "docs" / "operator-guide.md", 1),
    (ROOT / "docs" / "vast.md", 1),
]
"""Documents in which bold is what stands on a page, and how many such words there are at least."""
ENGINES = ("ai-toolkit", "kohya_ss")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)


@cache
def prose(path: Path) -> str:
    """A document without its code."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "``", text)


@cache
def anchors(path: Path) -> frozenset[str]:
    """What the headings of a document are called in an address, as GitHub calls them."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#{1,6} +(.+?)\s*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = "".join(c for c in plain if c.isalnum() or c in " -_").replace(" ", "-")
        count = found[name] = found.get(name, -1) + 1
        names.add(f"{name}-{count}" if count else name)
    return frozenset(names)


def wrong_links(path: Path) -> list[str]:
    """Links to files or headings that are not there; addresses on the net are not asked."""
    wrong = []
    for target in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    assert wrong_links(path) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One thing\n[a](#one-thing) [b](#another) [c](gone.md) [d](https://x.y)\n")
    assert wrong_links(page) == ["#another", "gone.md"]


def test_every_document_is_named_in_another():
    lost = [
        path.name
        for path in DOCUMENTS
        if not any(path.name in other.read_text("utf-8") for other in DOCUMENTS if other != path)
    ]
    assert lost == []


@cache
def labels() -> frozenset[str]:
    """Everything the pages may show as a name: texts and literals of templates and scripts, fields."""
    found = {row.title for row in table().values()}
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text("utf-8")
        found.update(re.findall(r'(?="([^"<>{}]+)")', text))
        found.update(re.split(r"<[^>]*>|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", text, flags=re.DOTALL))
    for path in (ROOT / "static").glob("*.js"):
        found.update(re.findall(r'["`]([^"`]+)["`]', path.read_text("utf-8")))
    for folder in ("app/datasets", "app/notify", "app/delivery", "app/web", "app/jobs", "engines"):
        for path in (ROOT / folder).glob("*.py"):
            found.update(literals(path))
    # "Install " is followed by the name of an engine.
    found.update(name + engine for name in set(found) if name[-1:] == " " for engine in ENGINES)
    return frozenset(" ".join(html.unescape(name).split()).rstrip(":") for name in found)


def literals(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }


@pytest.mark.parametrize(("path", "least"), QUOTING, ids=lambda value: getattr(value, "name", ""))
def test_what_people_are_told_to_press_is_on_the_pages(path, least):
    quoted = {" ".join(name.split()) for name in BOLD.findall(prose(path))}
    assert len(quoted) >= least
    assert sorted(quoted - labels()) == []
    assert "Start the engines" not in labels()


def test_the_api_reference_is_up_to_date():
    assert api_reference.PLACE.read_text("utf-8") == api_reference.text(), (
        f"docs/api.md is not what the program's OpenAPI document says. Run: {api_reference.COMMAND}"
    )


def test_the_api_reference_has_every_operation_under_its_address():
    there = anchors(api_reference.PLACE)
    assert [
        o.path for o in OPERATIONS if api_reference.anchor(o.method, o.template) not in there
    ] == []


def test_the_table_of_settings_says_what_the_code_says():
    text = (ROOT / "README.md").read_text("utf-8")
    rows = [f"| `{s.name}` | {s.default} | {s.meaning} |" for s in SETTINGS]
    assert [row for row in rows if row not in text] == []


def test_the_metrics_of_the_operator_guide_are_those_of_the_program():
    told = set(
        re.findall(r"vast_lora_\w+", (ROOT / "docs" / "operator-guide.md").read_text("utf-8"))
    )
    made = {f"vast_lora_gpu_{row[0]}" for row in prometheus._GPU}
    made |= {f"vast_lora_job_{row[0]}" for row in prometheus._JOB}
    text = (ROOT / "app" / "web" / "prometheus.py").read_text("utf-8")
    made |= {
        f"vast_lora_{name}" for name in re.findall(r'_(?:counted|single|gauge)\(\s*"(\w+)"', text)
    }
    assert told == made
