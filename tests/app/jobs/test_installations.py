"""The commit of a checkout is its own, in whatever form git keeps it."""

from __future__ import annotations

import subprocess

import pytest

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
