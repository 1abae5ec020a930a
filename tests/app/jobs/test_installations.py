"""The commit of a checkout is its own, in whatever form git keeps it."""

from __future__ import annotations

import subprocess

import pytest

from app.jobs import installations
from app.jobs.installations import commit_of


def git(folder, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *who, "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    home = tmp_path_factory.mktemp("git") / "engine"
    home.mkdir()
    git(home, "init", "-q")
    git(home, "commit", "-q", "--allow-empty", "-m", "one")
    return home


def test_a_branch_a_commit_alone_and_packed_branches_are_read(checkout):
    wanted = git(checkout, "rev-parse", "HEAD")
    assert commit_of(checkout) == wanted
    git(checkout, "pack-refs", "--all")
    assert commit_of(checkout) == wanted
    branch = git(checkout, "branch", "--show-current")
    git(checkout, "checkout", "-q", "--detach")
    assert commit_of(checkout) == wanted
    git(checkout, "checkout", "-q", branch)


def test_a_worktree_and_a_submodule_tell_their_own(checkout):
    git(checkout, "worktree", "add", "-q", "-b", "other", str(checkout.parent / "tree"))
    git(checkout.parent / "tree", "commit", "-q", "--allow-empty", "-m", "two")
    assert commit_of(checkout.parent / "tree") == git(checkout.parent / "tree", "rev-parse", "HEAD")
    outer = checkout.parent / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(checkout), "inner")
    assert commit_of(outer / "inner") == git(checkout, "rev-parse", "HEAD")


def test_a_folder_within_another_checkout_has_no_commit(checkout):
    (checkout / "data" / "engines" / "unpacked").mkdir(parents=True)
    assert commit_of(checkout / "data" / "engines" / "unpacked") == ""


def test_an_interpreter_that_hangs_cannot_be_run_or_cannot_start_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(installations, "PROBE_SECONDS", 0.1)
    hangs, torn, fine = tmp_path / "hangs", tmp_path / "torn", tmp_path / "fine"
    hangs.write_text("#!/bin/sh\nexec sleep 30\n")
    torn.write_text("#!/nowhere/python\n")
    fine.write_text("#!/bin/sh\nexit 3\n")
    told = {}
    for python in (hangs, torn, fine, tmp_path / "absent"):
        if python.exists():
            python.chmod(0o755)
        engine = installations.Installation("kohya_ss", tmp_path, str(python))
        told[python.name] = installations.interpreter_runs(engine)
    assert "did not answer within 0.1 s" in told["hangs"]
    assert f"{torn} cannot be started" in told["torn"]
    assert "absent cannot be started" in told["absent"]
    assert told["fine"] == "", "a wrapper that dislikes -c still counts"
