"""The WSGI entry: ``app.wsgi:app``. Reads the environment once; imports without side effects."""

from __future__ import annotations

import os

from app import create_app
from app.settings import Settings

app = create_app(Settings.from_env(os.environ))
