"""A real Slurm cluster for the session, mended between tests; skipped with a reason where it cannot be."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import document
from tests.support import engines, slurm
from tests.support.server import Server


@pytest.fixture(scope="session")
def started_cluster():
    if why := slurm.missing():
        pytest.skip(why)
    cluster = slurm.Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(started_cluster):
    yield started_cluster
    started_cluster.mend()


@pytest.fixture
def make_server(tmp_path, cluster):
    """As in tests/e2e, but the jobs of its servers run on the cluster."""
    servers = []

    def make(**env):
        settings = engines.make(tmp_path / f"engines-{len(servers)}")
        server = Server(
            tmp_path,
            {**settings, **cluster.env, "EXECUTOR": "slurm", "SLURM_LAG_SECONDS": "5", **env},
        )
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.kill()


@pytest.fixture
def server(make_server):
    return make_server()


__all__ = ["document"]
