# One image for every process; the command says which. Non-root, nothing is written at run time but /tmp.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/gamekeeper \
 && /opt/gamekeeper/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY gamekeeper gamekeeper
COPY detector detector
COPY consumers consumers
COPY gateway gateway
COPY migrations migrations
RUN /opt/gamekeeper/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /nonexistent gamekeeper \
 && install -d -o gamekeeper /var/cache/gamekeeper/numba
COPY --from=build /opt/gamekeeper /opt/gamekeeper
ENV PATH=/opt/gamekeeper/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TF_CPP_MIN_LOG_LEVEL=3 \
    NUMBA_CACHE_DIR=/var/cache/gamekeeper/numba
USER gamekeeper
# Compiles the detector's kernels into the image, so that a started `detect` runs at full speed at once.
RUN gamekeeper warm
ENTRYPOINT ["gamekeeper"]
CMD ["--help"]
