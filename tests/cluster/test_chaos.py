"""A few rounds of chaos on a cluster; ``scripts/chaos.sh --executor slurm`` runs as many as you like."""

from __future__ import annotations

import pytest

from tests.support import chaos_run, slurm

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_whatever_dies_on_a_cluster_no_job_is_lost_doubled_or_lied_about():
    if why := slurm.missing():
        pytest.skip(why)
    lines = []
    done = chaos_run.run(8, 20261127, lines.append, executor="slurm", seconds=60)
    assert sum(done.faults.values()) >= 2, "\n".join(lines)
