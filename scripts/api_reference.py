"""Writes docs/api.md from the OpenAPI document of the program, for people who read on the web.

python -m scripts.api_reference            write it
python -m scripts.api_reference --check    exit with 1 where it is out of date
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.web.api import document

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "docs" / "api.md"
COMMAND = ".venv/bin/python -m scripts.api_reference"
HEAD = f"""# API

Made by `{COMMAND}` from the program's own OpenAPI document: do not edit.

The API does what the pages do and answers with JSON. All addresses here stand below `/api/v1`. The running program
shows the same at `/api`, and the OpenAPI document at `/api/v1/openapi.json`.

```
AUTH_TOKEN=$(cat data/auth-token)      # only where the dashboard asks for a token
curl -H "Authorization: Bearer $AUTH_TOKEN" http://127.0.0.1:7860/api/v1/jobs
```

Submit a job and wait for its end:

```
url=http://127.0.0.1:7860/api/v1/jobs
id=$(curl -s -H "Authorization: Bearer $AUTH_TOKEN" -H "Content-Type: application/json" $url \\
  -d '{{"name": "ohwx-dog", "family": "sdxl", "base_model": "stabilityai/stable-diffusion-xl-base-1.0",
       "datasets": [{{"path": "dog"}}], "length": {{"steps": 2000}}}}' |
  python3 -c 'import json, sys; job = json.load(sys.stdin); print(job.get("id") or sys.exit(job["error"]))') &&
until curl -s -H "Authorization: Bearer $AUTH_TOKEN" $url/$id |
  grep -oE '"state": ?"(succeeded|failed|cancelled)"'; do sleep 30; done
```

Errors are `{{"error": "…", "errors": {{"field": "…"}}}}`; `errors` where fields are wrong (422). Lists go on with
the `next` of the answer. Times are ISO 8601 in UTC, sizes bytes.
"""
Told = dict[str, Any]


def text() -> str:
    """The whole page."""
    told = document.document()
    by_tag: dict[str, list[tuple[str, str, Told]]] = {}
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    lines = [HEAD]
    for tag, operations in by_tag.items():
        lines += [f"## {tag}", "", "| | | |", "| --- | --- | --- |"]
        lines += [
            f"| {method} | [`{path}`](#{anchor(method, path)}) | {cell(operation['summary'])} |"
            for method, path, operation in operations
        ]
        lines.append("")
        for method, path, operation in operations:
            lines += _operation(method, path, operation)
    lines += ["## Shapes", ""]
    for name, schema in sorted(told["components"]["schemas"].items()):
        lines += _shape(name, schema)
    return "\n".join(lines).rstrip() + "\n"


def anchor(method: str, path: str) -> str:
    """What a heading with a method and a path is called as the end of an address."""
    kept = (c for c in f"{method} {path}".lower() if c.isalnum() or c in " -_")
    return "".join(kept).replace(" ", "-")


def cell(words: str) -> str:
    """Words as they may stand in a table."""
    return " ".join(words.split()).replace("|", "\\|").replace("<", "&lt;")


def _operation(method: str, path: str, told: Told) -> Iterator[str]:
    yield from (f"### {method} `{path}`", "", told["summary"], "")
    if told.get("description"):
        yield from (" ".join(told["description"].split()), "")
    parameters = told.get("parameters", [])
    if parameters:
        yield from ("| parameter | in | type | meaning |", "| --- | --- | --- | --- |")
        for one in parameters:
            meaning = cell(one.get("description", ""))
            default = one["schema"].get("default")
            if default not in (None, ""):
                meaning += f" Default {str(default).lower()}."
            kind = cell(document.kind_of(one["schema"]))
            yield f"| `{one['name']}` | {one['in']} | {kind} | {meaning.strip()} |"
        yield ""
    if "requestBody" in told:
        yield from (f"Body: {_linked(_content(told['requestBody']))}", "")
    answers = []
    for status, answer in told["responses"].items():
        if int(status) < 400:
            shape = _linked(_content(answer)) if "content" in answer else "empty"
            yield from (f"Answer {status}: {shape}", "")
        else:
            answers.append(status)
    if answers:
        yield from (f"Errors: {', '.join(answers)}", "")


def _content(told: Told) -> Told:
    schema: Told = next(iter(told["content"].values()))["schema"]
    return schema


def _linked(schema: Told) -> str:
    kind = document.kind_of(schema)
    return f"[{kind}](#shape-{kind.lower()})" if "$ref" in schema else kind


def _shape(name: str, schema: Told) -> Iterator[str]:
    yield from (f"### Shape {name}", "")
    if schema.get("description"):
        yield from (" ".join(schema["description"].split()), "")
    fields = schema.get("properties", {})
    if not fields:
        yield from (f"One of: {cell(document.kind_of(schema))}", "")
        return
    required = set(schema.get("required", ()))
    yield from ("| field | type | meaning |", "| --- | --- | --- |")
    for field, told in fields.items():
        kind = cell(document.kind_of(told)) + ("" if field in required else ", optional")
        yield f"| `{field}` | {kind} | {cell(told.get('description', ''))} |"
    yield ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, tell by the exit status"
    )
    wanted = text()
    if parser.parse_args().check:
        same = PLACE.exists() and PLACE.read_text("utf-8") == wanted
        print(f"docs/api.md is {'as it should be' if same else f'out of date; run {COMMAND}'}.")
        return not same
    PLACE.write_text(wanted, "utf-8")
    print(f"docs/api.md: {len(wanted.splitlines())} lines.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
