"""A few rounds of chaos; ``scripts/chaos.sh`` runs as many as you like."""

from __future__ import annotations

import pytest

from tests.support import chaos_run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_whatever_is_killed_no_job_is_lost_doubled_orphaned_or_lied_about():
    lines = []
    done = chaos_run.run(rounds=10, seed=20261124, say=lines.append)
    assert sum(done.faults.values()) == 10
    assert len(done.faults) >= 5, "\n".join(lines)
