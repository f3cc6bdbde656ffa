# syntax=docker/dockerfile:1
# One image for each role: precompute (with torch), server and dashboard (without). See docs/deployment.md.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS source
WORKDIR /source
# src/ holds links to the folders beside it
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY data ./data
COPY model ./model
COPY precompute ./precompute
COPY server ./server
COPY dashboard ./dashboard
COPY src ./src
RUN python -m venv /opt/bi2scope

FROM source AS install-precompute
RUN /opt/bi2scope/bin/pip install --no-cache-dir --constraint constraints.txt '.[model]'

FROM source AS install-server
RUN /opt/bi2scope/bin/pip install --no-cache-dir --constraint constraints.txt '.[server]'

FROM source AS install-dashboard
RUN /opt/bi2scope/bin/pip install --no-cache-dir --constraint constraints.txt '.[dashboard]'

# What all roles share: a user who owns nothing but the folder of the stores, and caches where a file system that is
# otherwise read-only can be written to.
FROM python:${PYTHON} AS base
RUN groupadd --gid 10001 bi2scope \
    && useradd --uid 10001 --gid bi2scope --no-create-home --home-dir /tmp --shell /usr/sbin/nologin bi2scope \
    && install --directory --owner bi2scope --group bi2scope /stores
ENV PATH=/opt/bi2scope/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /stores
USER 10001:10001
ENTRYPOINT ["bi2scope"]

FROM base AS precompute
COPY --from=install-precompute /opt/bi2scope /opt/bi2scope
CMD ["precompute", "--help"]

FROM base AS server
COPY --from=install-server /opt/bi2scope /opt/bi2scope
EXPOSE 8050
CMD ["serve", "--no-dashboard", "--no-open", "--host", "0.0.0.0", "--port", "8050", "/stores/store.h5"]

FROM base AS dashboard
COPY --from=install-dashboard /opt/bi2scope /opt/bi2scope
EXPOSE 8051
CMD ["dashboard", "--no-open", "--host", "0.0.0.0", "--port", "8051", "--service", "http://server:8050"]
