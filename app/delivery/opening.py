"""Opens a target's place with its secrets. Each kind's library is imported only where it is used."""

from __future__ import annotations

from app.delivery.remotes import Remote
from app.delivery.targets import Target
from app.settings import Settings
from app.vault import Vault


def open_remote(target: Target, place: str, settings: Settings) -> Remote:
    """The place with its secrets, taken from the environment and the vault."""
    vault = Vault(settings.data_dir)
    if target.kind == "hub":
        from app.delivery.hub import HubRemote

        token = settings.hf_token or vault.get(target.secret("token"))
        return HubRemote(place, settings.hf_endpoint, token, private=target.private)
    if target.kind == "s3":
        from app.delivery.s3 import S3Remote

        keys = (vault.get(target.secret("key_id")), vault.get(target.secret("key")))
        return S3Remote(place, target.endpoint, target.region, keys)
    from app.delivery.rclone import RcloneRemote

    return RcloneRemote(place, target.config)
