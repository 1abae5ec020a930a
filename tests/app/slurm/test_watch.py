"""All viewers share one look at the cluster, and a controller that is away holds nobody up."""

from __future__ import annotations

import threading

import pytest

from app.settings import ROOT
from app.slurm.commands import ControllerDownError, SlurmMissingError
from app.slurm.watch import AFTER_A_FAILURE, EVERY_SECONDS, ClusterWatch
from tests.support.wait import until

REPLAY = ROOT / "tests/replay/slurm"


class Cluster:
    """Answers as recorded; ``error`` is raised in place of an answer."""

    def __init__(self):
        self.name, self.error, self.asked = "busy", None, []
        self.hold = threading.Event()
        self.hold.set()

    def run(self, *command):
        self.asked.append(command[0])
        self.hold.wait(20)
        if self.error:
            raise self.error
        return (REPLAY / f"{command[0]}-{self.name}.txt").read_text()


class Watched:
    """A watch with a clock of its own, and a wait for what it does in the background."""

    def __init__(self):
        self.cluster, self.now = Cluster(), 100.0
        self.watch = ClusterWatch(
            self.cluster.run, lambda: self.now, lambda: self.now + 1000, patience=20
        )

    def later(self, seconds):
        """The report after so long, once it is fetched."""
        self.now += seconds
        self.watch.report()
        until(lambda: self.watch._asking is None, 20, "the look is over")
        return self.watch.report()


@pytest.fixture
def watched():
    return Watched()


def test_one_sinfo_and_one_squeue_serve_all_for_some_seconds(watched):
    reports = [watched.watch.report() for _ in range(5)]
    assert watched.cluster.asked == ["sinfo", "squeue"]
    assert len(reports[0].cluster.nodes) == 4
    watched.later(EVERY_SECONDS + 0.1)
    assert watched.cluster.asked == ["sinfo", "squeue"] * 2


def test_the_same_answer_keeps_the_version_and_another_changes_it(watched):
    first = watched.watch.report()
    same = watched.later(EVERY_SECONDS + 0.1)
    assert (same.version, same.cluster) == (first.version, first.cluster)
    assert same.at > first.at
    watched.cluster.name = "quiet"
    assert watched.later(EVERY_SECONDS + 0.1).version != first.version


def test_a_controller_that_is_down_leaves_what_was_known_and_since_when(watched):
    before = watched.watch.report()
    watched.cluster.error = ControllerDownError("Unable to contact", done_nothing=True)
    down = watched.later(EVERY_SECONDS + 0.1)
    assert down.problem == "Slurm's controller does not answer: Unable to contact"
    assert (down.cluster, down.at) == (before.cluster, before.at)
    assert down.version != before.version
    still = watched.later(AFTER_A_FAILURE + 0.1)
    assert (still.down_since, still.version) == (down.down_since, down.version)
    watched.cluster.error = None
    back = watched.later(AFTER_A_FAILURE + 0.1)
    assert (back.problem, back.version) == ("", before.version)


def test_a_machine_without_slurm_is_told(watched):
    watched.cluster.error = SlurmMissingError("sinfo cannot be run here")
    report = watched.watch.report()
    assert (report.cluster, report.problem) == (None, "sinfo cannot be run here")


def test_while_slurm_thinks_the_report_before_is_shown_and_nobody_asks_twice(watched):
    before = watched.watch.report()
    watched.cluster.hold.clear()
    watched.now += EVERY_SECONDS + 0.1
    assert [watched.watch.report() for _ in range(3)] == [before] * 3
    watched.cluster.hold.set()
    until(lambda: watched.watch._asking is None, 20, "the look is over")
    assert watched.cluster.asked == ["sinfo", "squeue"] * 2


def test_an_answer_that_breaks_the_reader_is_a_problem_and_no_crash(watched):
    watched.cluster.error = ZeroDivisionError("odd")
    assert "could not be used" in watched.watch.report().problem
