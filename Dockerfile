# The trdinger command, for moving a file into a server: docker compose run --rm trdinger migrate /data/trdinger.db
# Without the embedded TimescaleDB: in a container the server is the other one.

FROM python:3.12.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/trdinger
COPY requirements-runtime.lock /src/
RUN /opt/trdinger/bin/pip install --require-hashes --only-binary :all: -r /src/requirements-runtime.lock
COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
RUN /opt/trdinger/bin/pip install --no-deps --no-build-isolation /src \
    && /opt/trdinger/bin/pip uninstall --yes hatchling editables pip

FROM python:3.12.11-slim-bookworm
RUN useradd --uid 1000 --create-home trdinger
COPY --from=build /opt/trdinger /opt/trdinger
ENV PATH=/opt/trdinger/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER trdinger
WORKDIR /data
# No HEALTHCHECK: each run is one command, and its exit code says how it went (trdinger exit-codes).
ENTRYPOINT ["trdinger"]
CMD ["--help"]
