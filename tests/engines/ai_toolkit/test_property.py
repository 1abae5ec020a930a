"""Any plannable spec comes out of the file as it went in, field by field."""

from __future__ import annotations

from hypothesis import given, settings

from engines.ai_toolkit.draft import split
from tests.engines.ai_toolkit.asking import asked
from tests.engines.ai_toolkit.builders import ENGINE, plan, process, refused, spec
from tests.engines.ai_toolkit.documents import documents


@settings(max_examples=40, deadline=None)
@given(documents())
def test_what_was_asked_is_what_the_file_says(document):
    given = spec(**document)
    assert refused(given) == {}
    made = process(given)
    wrong = {
        path: (at(made, path), value)
        for path, value in asked(given).items()
        if at(made, path) != value and not (value is None and not at(made, path))
    }
    assert wrong == {}
    assert ENGINE.complaints(given, plan(given).files, ENGINE.shipped_options()) == ()


def at(value, path):
    """The value at a path of the process, or None."""
    for part in split(path):
        inside = isinstance(value, list) and isinstance(part, int) and part < len(value)
        value = value[part] if inside else value.get(part) if isinstance(value, dict) else None
    return value
