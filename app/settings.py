"""The settings: read once from the environment, frozen, each with its sentence of meaning.

``Settings.from_env`` is the only place that looks at the environment; nonsense refuses to
start. ``SETTINGS`` is the table that README and /system show (a test compares them).
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.setting import Setting, SettingsError, given
from app.slurm.settings import SLURM_SETTINGS, SlurmSettings
from engines.registry import ENGINE_NAMES, setting_prefix

__all__ = ["ROOT", "SETTINGS", "Setting", "Settings", "SettingsError"]

ROOT = Path(__file__).resolve().parent.parent
"""The checkout (or the folder the program was installed from)."""
HUB_OFFLINE_BRIEF = "HF_HUB_OFFLINE is set, so nothing comes from the Hub or goes to it."
HUB_OFFLINE = f"{HUB_OFFLINE_BRIEF} Unset it and start the program again."
"""What a person is told who wants something of the Hub where ``Settings.hf_hub_offline`` holds."""

_VAST_SIGNS = ("VAST_CONTAINERLABEL", "CONTAINER_ID", "PORTAL_CONFIG")
_TUNNEL_MANAGER = "http://127.0.0.1:11112"


def _engine_settings() -> Iterator[Setting]:
    for name in ENGINE_NAMES:
        prefix = setting_prefix(name)
        yield Setting(f"{prefix}_DIR", f"ENGINES_DIR/{name}", f"A checkout of {name} to use.")
        python = f"ENGINES_DIR/venv-{name}/bin/python"
        yield Setting(f"{prefix}_PYTHON", python, f"The interpreter that runs {name}.")


SETTINGS: tuple[Setting, ...] = (
    Setting("HOST", "127.0.0.1", "Address the dashboard listens on."),
    Setting("PORT", "7860 (17860 behind Vast's proxy)", "Port the dashboard listens on."),
    Setting("DATA_DIR", "data/ in the checkout (/workspace/lora on Vast)",
            "Database, datasets, models, jobs and engines live here."),
    Setting("TRUST_PROXY", "on where PORTAL_CONFIG is set, else off",
            "Believe the X-Forwarded-* headers of one proxy in front."),
    Setting("EXECUTOR", "local", "Where jobs run: local, or slurm; each job may choose where Slurm is set up."),
    Setting("DATABASE_URL", "SQLite in DATA_DIR", "Any SQLAlchemy URL."),
    Setting("AUTH_TOKEN", "none needed on plain loopback, else generated",
            "Password of the dashboard and bearer token of the API; AUTH_TOKEN_FILE names a file that holds it."),
    Setting("ENGINES_DIR", "DATA_DIR/engines", "Where bootstrap.sh puts the engines."),
    *_engine_settings(),
    Setting("AI_TOOLKIT_SOURCE", "the public repository", "Where bootstrap.sh takes it from: URL or local path."),
    Setting("KOHYA_SS_SOURCE", "the public repository", "Where bootstrap.sh takes it from: URL or local path."),
    Setting("HF_TOKEN", "none", "Hugging Face token for gated models; wins over one typed in on the Models page."),
    Setting("HF_HOME", "Hugging Face's own default", "Cache of downloaded models."),
    Setting("HF_HUB_OFFLINE", "off", "Hugging Face's own switch: nothing is fetched from the Hub or sent to it."),
    Setting("VAST_API_URL", "the public API", "Address of the Vast API; tests point it at a stand-in."),
    Setting("TUNNEL_MANAGER", "set by Vast's portal", "Where the address of the Cloudflare tunnel is asked for."),
    Setting("CONTAINER_ID", "set by Vast", "Number of this instance, for its price and for stopping it."),
    Setting("CONTAINER_API_KEY", "set by Vast", "Key of this instance; sent to VAST_API_URL, shown nowhere."),
    Setting("GPUS", "all", "Which GPUs jobs may use: all, or their numbers, such as 0,2."),
    Setting("MAX_INTERRUPTIONS", "5", "A job interrupted more often than this is failed."),
    Setting("DISK_SOFT_GB", "5", "With less free disk than this, no job is started."),
    Setting("DISK_HARD_GB", "1", "With less free disk than this, running jobs are stopped before a write fails."),
    Setting("NAN_READINGS", "5", "So many losses in a row that are not numbers end a run; 0 never does."),
    Setting("STALL_MINUTES", "20", "A run without any output for so long is flagged as stalled."),
    Setting("LOG_CAP_MB", "512", "A log larger than this loses its middle, with a notice."),
    Setting("PRICE_PER_HOUR", "none", "Price of this machine per hour, in US dollars, for cost estimates."),
    *SLURM_SETTINGS,
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What the program was told, checked. Paths are absolute."""

    host: str
    port: int
    data_dir: Path
    trust_proxy: bool
    executor: str
    database_url: str
    auth_token: str | None = field(repr=False)
    needs_token: bool
    engines_dir: Path
    engine_places: Mapping[str, tuple[Path, str]]
    """Folder and interpreter of each engine by its name."""
    hf_token: str | None = field(repr=False)
    hf_home: Path | None
    hf_endpoint: str
    hf_hub_offline: bool
    vast_api_url: str
    gpus: frozenset[int] | None = None
    max_interruptions: int = 5
    disk_soft_gb: float = 5.0
    disk_hard_gb: float = 1.0
    nan_readings: int = 5
    stall_minutes: float = 20.0
    log_cap_mb: float = 512.0
    price_per_hour: float | None = None
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What was set, as it was written; secrets without their text."""
    slurm: SlurmSettings | None = None
    """None where jobs only run on this machine."""
    container_id: str = ""
    container_api_key: str | None = field(default=None, repr=False)
    public_address: str = ""
    """IP and port that Vast forwards to us, such as 203.0.113.7:40123; empty elsewhere."""
    tunnel_manager: str = ""
    """Where Vast's portal tells its tunnels; empty without a portal."""

    @property
    def why_no_hub(self) -> str:
        """Why nothing can be had from the Hub or sent to it; empty where it can."""
        return HUB_OFFLINE if self.hf_hub_offline else ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read and check. Raises SettingsError with a sentence for the person who set it."""
        portal = bool(env.get("PORTAL_CONFIG"))
        data_dir = _path(env, "DATA_DIR") or (_vast_data(env) or ROOT / "data")
        host = env.get("HOST") or "127.0.0.1"
        trust_proxy = _switch(env, "TRUST_PROXY", portal)
        engines = _path(env, "ENGINES_DIR") or data_dir / "engines"
        return cls(
            host=host,
            port=_number(env, "PORT", 17860 if portal else 7860, 1, 65535),
            data_dir=data_dir,
            trust_proxy=trust_proxy,
            database_url=env.get("DATABASE_URL") or f"sqlite:///{data_dir / 'lora.db'}",
            auth_token=_token(env),
            needs_token=(
                not _is_loopback(host) or trust_proxy or any(env.get(s) for s in _VAST_SIGNS)
            ),
            engines_dir=engines,
            engine_places={name: _engine_place(env, engines, name) for name in ENGINE_NAMES},
            hf_token=env.get("HF_TOKEN") or None,
            hf_home=_path(env, "HF_HOME"),
            hf_endpoint=(env.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/"),
            # As its library reads it, so that what we say is what trainers and children do.
            hf_hub_offline=env.get("HF_HUB_OFFLINE", "").lower() in ("1", "on", "yes", "true"),
            vast_api_url=(env.get("VAST_API_URL") or "https://console.vast.ai").rstrip("/"),
            gpus=_gpus(env),
            max_interruptions=_number(env, "MAX_INTERRUPTIONS", 5, 0, 1000),
            disk_soft_gb=_decimal(env, "DISK_SOFT_GB", 5.0),
            disk_hard_gb=_decimal(env, "DISK_HARD_GB", 1.0),
            nan_readings=_number(env, "NAN_READINGS", 5, 0, 1_000_000),
            stall_minutes=_decimal(env, "STALL_MINUTES", 20.0),
            log_cap_mb=_decimal(env, "LOG_CAP_MB", 512.0),
            given=given(SETTINGS, env),
            **_executor(env),
            **_vast(env),
        )

    @property
    def jobs_dir(self) -> Path:
        return self.data_dir / "jobs"

    @property
    def datasets_dir(self) -> Path:
        return self.data_dir / "datasets"

    @property
    def cache_dir(self) -> Path:
        """What can be made again: small pictures, sums, norms."""
        return self.data_dir / "cache"

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"


def _executor(env: Mapping[str, str]) -> dict[str, Any]:
    """Where jobs run, and what Slurm is asked where it may be chosen."""
    executor = env.get("EXECUTOR") or "local"
    if executor not in ("local", "slurm"):
        raise SettingsError(f"EXECUTOR is {executor!r}; use local or slurm.")
    slurm = SlurmSettings.from_env(env, wanted=executor == "slurm")
    return {"executor": executor, "slurm": slurm}


def _vast_data(env: Mapping[str, str]) -> Path | None:
    if not any(env.get(sign) for sign in _VAST_SIGNS):
        return None
    return Path(env.get("WORKSPACE") or "/workspace") / "lora"


def _vast(env: Mapping[str, str]) -> dict[str, Any]:
    """What Vast tells every instance about itself, and its price."""
    return {
        "price_per_hour": _decimal(env, "PRICE_PER_HOUR", 0.0) or None,
        "container_id": _container(env),
        "container_api_key": env.get("CONTAINER_API_KEY", "").strip() or None,
        "public_address": _public_address(env),
        "tunnel_manager": env.get("TUNNEL_MANAGER")
        or (_TUNNEL_MANAGER if env.get("PORTAL_CONFIG") else ""),
    }


def _container(env: Mapping[str, str]) -> str:
    """Vast names the instance twice; the label is ``C.<number>``."""
    return (
        env.get("CONTAINER_ID") or env.get("VAST_CONTAINERLABEL", "").removeprefix("C.")
    ).strip()


def _public_address(env: Mapping[str, str]) -> str:
    """Where the outside reaches us: the port that Vast gave for 7860, whatever we listen on."""
    address, port = env.get("PUBLIC_IPADDR", "").strip(), env.get("VAST_TCP_PORT_7860", "").strip()
    return f"{address}:{port}" if address and port.isdecimal() else ""


def _path(env: Mapping[str, str], name: str) -> Path | None:
    if not (text := env.get(name)):
        return None
    path = os.path.expanduser(text)
    if path.startswith("~"):
        raise SettingsError(f"{name} is {text!r}, and there is no such home. Write the path out.")
    if name == "DATA_DIR" and "?" in path:
        raise SettingsError(f"DATA_DIR is {text!r}; a path with a ? cannot hold the database.")
    return Path(path).absolute()


def _engine_place(env: Mapping[str, str], engines: Path, name: str) -> tuple[Path, str]:
    prefix = setting_prefix(name)
    python = env.get(f"{prefix}_PYTHON") or str(engines / f"venv-{name}/bin/python")
    return _path(env, f"{prefix}_DIR") or engines / name, python


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}; it must be a whole number.") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}; it must be from {low} to {high}.")
    return value


def _gpus(env: Mapping[str, str]) -> frozenset[int] | None:
    """The GPU numbers jobs may use; None for all of them."""
    text = env.get("GPUS", "").strip().lower()
    if text in ("", "all"):
        return None
    if not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", text):
        raise SettingsError(f"GPUS is {text!r}; use all, or numbers such as 0,2.")
    return frozenset(int(word) for word in text.split(","))


def _decimal(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}; it must be a number.") from None
    if not 0 <= value < float("inf"):
        raise SettingsError(f"{name} is {text}; it must be zero or more.")
    return value


def _switch(env: Mapping[str, str], name: str, default: bool) -> bool:
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise SettingsError(f"{name} is {text!r}; use on or off.")


def _token(env: Mapping[str, str]) -> str | None:
    token, file = env.get("AUTH_TOKEN", "").strip(), env.get("AUTH_TOKEN_FILE")
    if not token and file:
        try:
            token = Path(file).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"AUTH_TOKEN_FILE names {file}, which cannot be read: {error}."
            ) from error
        if not token:
            raise SettingsError(f"AUTH_TOKEN_FILE names {file}, which is empty.")
    return token or None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
