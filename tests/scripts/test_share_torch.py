"""One torch for both engines: by links, with nothing else of the base, and the base stays whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e  # real processes

SCRIPT = Path(__file__).parents[2] / "scripts/bootstrap/share_torch.py"


def package(site: Path, name: str, version: str = "1.0", needs: tuple[str, ...] = ()) -> None:
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text(f"version = {version!r}\n")
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    needed = "".join(f"Requires-Dist: {need}\n" for need in needs)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}"
    )
    (info / "RECORD").write_text(
        f"{name}/__init__.py,,\n{info.name}/METADATA,,\n../../bin/{name},,\n"
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    site = tmp_path / "base"
    package(
        site, "torch", "2.9.1+cu128", ("sympy>=1.13", "nvidia_cudnn ; extra == 'x'", "jinja2", "absent")
    )  # fmt: skip
    package(site, "nvidia_cudnn")
    package(site, "sympy", "1.14", ("mpmath (<1.4)",))
    package(site, "mpmath", "1.3")
    package(site, "jinja2", "3.1", ("markupsafe ; extra == 'i18n'",))
    package(site, "markupsafe", "3.0")
    package(site, "transformers", "4.0")
    return site


def share(base: Path, engine: Path) -> subprocess.CompletedProcess[str]:
    engine.mkdir(exist_ok=True)
    # Without its own packages, the interpreter sees the base alone.
    command = [sys.executable, "-S", str(SCRIPT), str(engine)]
    return subprocess.run(
        command, env={"PYTHONPATH": str(base)}, capture_output=True, text=True, check=False
    )


def test_torch_and_its_libraries_are_linked_and_what_it_needs_is_named(base, tmp_path):
    done = share(base, tmp_path / "engine")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["jinja2==3.1", "mpmath==1.3", "sympy==1.14"]
    linked = {p.name for p in (tmp_path / "engine").iterdir() if p.is_symlink()}
    assert linked == {"torch", "torch-2.9.1+cu128.dist-info", "nvidia_cudnn",
                      "nvidia_cudnn-1.0.dist-info"}  # fmt: skip


def test_a_second_time_changes_nothing_and_a_moved_base_is_linked_anew(base, tmp_path):
    engine = tmp_path / "engine"
    share(base, engine)
    assert share(base, engine).returncode == 0
    moved = base.rename(tmp_path / "moved")
    assert share(moved, engine).returncode == 0
    assert (engine / "torch").resolve() == (moved / "torch").resolve()


def test_a_torch_that_is_there_already_is_never_replaced(base, tmp_path):
    engine = tmp_path / "engine"
    (engine / "torch").mkdir(parents=True)
    done = share(base, engine)
    assert done.returncode == 1
    assert "is there already and is no link" in done.stderr


def test_a_base_without_torch_says_so(tmp_path):
    done = share(tmp_path, tmp_path / "engine")
    assert done.returncode == 1
    assert "has no torch to share" in done.stderr
