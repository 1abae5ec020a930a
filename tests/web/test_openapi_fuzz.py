"""The API against its own document: whatever is sent, no answer is a 5xx or breaks its schema.

``FUZZ_EXAMPLES`` says how many requests are made up for each operation and kind.
"""

from __future__ import annotations

import os

import pytest

from app import tasks
from app.base_models import Entry, Library, library
from tests.support.finished import finished_job

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_request_that_the_document_allows_or_forbids_ends_in_a_5xx(app):
    import schemathesis
    from schemathesis import GenerationMode

    with app.app_context():
        for name in ("dog", "cat", "bird"):
            finished_job(app, name=name)
        tasks.start("notify.send", "x", {"target": "x"})
        settings = app.extensions["vast-lora"].settings
        entry = Entry("k", "models", "a.safetensors", str(settings.models_dir / "a"), 5, 0.0, True)
        library.write(settings, Library(1.0, (entry,)))
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 25
    # What deletes comes last.
    for operation in sorted(operations, key=lambda op: op.method == "delete"):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _attack(operation, operation.as_strategy(mode))
        there = {"job_id": 2, "task_id": 1, "target": "x", "key": "k"}
        wanted = {name: there[name] for name in there if f"{{{name}}}" in operation.path}
        if wanted:
            _attack(operation, operation.as_strategy(path_parameters=wanted))


def _attack(operation, strategy):
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    wanted = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def attempt(case):
        case.call_and_validate(headers={"Accept-Encoding": "identity"}, checks=wanted)

    try:
        attempt()
    except Unsatisfiable:
        assert not operation.body, f"nothing could be made up for {operation.label}"
