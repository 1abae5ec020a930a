"""The lives of a run on a real Slurm cluster: the tests of the local executor, not one word changed."""

from __future__ import annotations

import pytest

from tests.e2e.test_lifecycle import *  # noqa: F403
from tests.e2e.test_restart import *  # noqa: F403

pytestmark = pytest.mark.cluster
