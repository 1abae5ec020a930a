# The dashboard with both engines:
#   docker run --gpus all -p 7860:7860 -v lora:/workspace/lora IMAGE
# It prints a login link. There is no EXPOSE: Vast.ai would take it for a request to open the port.
# A base without CUDA also works:  --build-arg BASE=python:3.11-slim --build-arg ENGINES=none
ARG BASE=vastai/pytorch:2.9.1-cu128-cuda-12.9-mini-py312-2026-08-21
# hadolint ignore=DL3006
FROM ${BASE}

ARG ENGINES=all
# Whose torch both engines share by links, where the base has one; else each gets its own.
ARG TORCH_FROM=/venv/main/bin/python
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Vast LoRA Platform" \
      org.opencontainers.image.description="Trains LoRAs with ai-toolkit or kohya_ss from one dashboard" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini git python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/lora-platform
# The environment first: it changes less often than the program.
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY scripts ./scripts
COPY app/__init__.py ./app/__init__.py
COPY engines/__init__.py ./engines/__init__.py
ENV VENV=/venv/platform \
    ENGINES_DIR=/opt/engines \
    DATA_DIR=/workspace/lora
# A base whose own Python is too old has a newer one in its main environment.
RUN ROOT=$PWD; . scripts/environment.sh \
 && { (find_python) >/dev/null 2>&1 || export PYTHON=/venv/main/bin/python; } \
 && ensure_environment "$ROOT/requirements.lock" run
# No GPU is to be seen while an image is built, so the CUDA build is named. Each engine ends with a look at
# all that its trainings import. Engines lie in /opt: the workspace would be copied onto the charged disk.
RUN useradd --create-home lora \
 && install -d -o lora -g lora "$ENGINES_DIR" \
 && if "$TORCH_FROM" -c 'import torch' 2>/dev/null; then export TORCH_FROM; else unset TORCH_FROM; fi \
 && if [ "$ENGINES" != none ]; then TORCH_BUILD=cuda ./scripts/bootstrap.sh "$ENGINES"; fi
COPY . .
# Proves that it starts, on a database that is thrown away; what is compiled here need not be at each start.
RUN DATA_DIR=/tmp/setup ./scripts/start.sh --setup-only \
 && rm -rf /tmp/setup \
 && /venv/platform/bin/python -m compileall -q app engines \
 && /venv/platform/bin/python -c 'from app.web import template_cache; from app.wsgi import app; template_cache.fill(app)' \
 && install -d -o lora -g lora "$DATA_DIR" \
 && install -D -m 644 scripts/vast/lora-platform.conf /etc/supervisor/conf.d/lora-platform.conf \
 && install -D -m 755 scripts/vast/lora-platform.sh /opt/supervisor-scripts/lora-platform.sh \
 && ln -s /venv/platform/bin/vast-lora /usr/local/bin/vast-lora

# Whatever starts it plainly is reached from outside: a token is made and printed as a link.
ENV HOST=0.0.0.0 PORT=7860 PYTHONUNBUFFERED=1
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["/venv/platform/bin/python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["/opt/lora-platform/scripts/vast/entrypoint.sh"]
