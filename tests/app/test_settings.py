"""Settings: read once, checked, documented."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.settings import ROOT, SETTINGS, Settings, SettingsError


def test_without_any_setting_it_listens_on_loopback_and_needs_no_token():
    settings = Settings.from_env({})
    assert (settings.host, settings.port, settings.needs_token) == ("127.0.0.1", 7860, False)
    assert settings.data_dir == ROOT / "data"


@pytest.mark.parametrize(
    "env",
    [
        {"HOST": "0.0.0.0"},
        {"HOST": "::"},
        {"HOST": "gpu.example"},
        {"CONTAINER_ID": "7"},
        {"VAST_CONTAINERLABEL": "C.7"},
        {"PORTAL_CONFIG": "x"},
        {"TRUST_PROXY": "on"},
    ],
)
def test_whatever_can_be_reached_from_outside_needs_a_token(env):
    assert Settings.from_env(env).needs_token


def test_behind_vasts_proxy_it_takes_the_inner_port_and_the_workspace():
    settings = Settings.from_env({"PORTAL_CONFIG": "x", "WORKSPACE": "/w"})
    assert (settings.port, settings.trust_proxy, settings.data_dir) == (
        17860,
        True,
        Path("/w/lora"),
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "web", "PORT is 'web'; it must be a whole number"),
        ("PORT", "70000", "PORT is 70000; it must be from 1 to 65535"),
        ("TRUST_PROXY", "perhaps", "use on or off"),
        ("DISK_SOFT_GB", "-1", "zero or more"),
        ("DISK_SOFT_GB", "nan", "zero or more"),
        ("EXECUTOR", "magic", "use local"),
        ("AUTH_TOKEN_FILE", "/nowhere", "cannot be read"),
        ("AUTH_TOKEN_FILE", "/dev/null", "is empty"),
        ("AUTH_TOKEN_FILE", sys.executable, "cannot be read"),
        ("GPUS", "-1", "numbers such as 0,2"),
        ("GPUS", "0,", "numbers such as 0,2"),
        ("DATA_DIR", "~nobody-here/data", "no such home"),
        ("DATA_DIR", "/tmp/what?", "cannot hold the database"),
    ],
)
def test_nonsense_is_refused_with_the_settings_name(name, value, sentence):
    with pytest.raises(SettingsError, match=sentence):
        Settings.from_env({name: value})


def test_a_token_file_is_read_without_its_newline(tmp_path):
    (tmp_path / "t").write_text("secret\n")
    assert Settings.from_env({"AUTH_TOKEN_FILE": str(tmp_path / "t")}).auth_token == "secret"


def test_paths_do_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env({"DATA_DIR": "here"})
    assert settings.data_dir == tmp_path / "here"
    assert settings.engines_dir.is_absolute()


def test_every_setting_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8")
    missing = [s.name for s in SETTINGS if f"`{s.name}`" not in readme]
    assert missing == []


@pytest.mark.parametrize(("name", "value"), [("GPUS", "first"), ("GPUS", "0;1"), ("PRICE_PER_HOUR", "cheap"),
                                             ("PRICE_PER_HOUR", "-1"), ("PRICE_PER_HOUR", "inf")])  # fmt: skip
def test_a_number_that_is_none_refuses_to_start_with_the_settings_name(name, value):
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({name: value})
