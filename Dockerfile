# docker build --target cpu --build-arg VERSION="$(.venv/bin/hatchling version)" --tag jaxgrad .
# docker run --rm --volume "$PWD:/work" --user "$(id -u):$(id -g)" jaxgrad train --out runs
#
# `--target cuda` for an NVIDIA GPU (docker run --gpus all ...); `--target dev` is what a codespace works in.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS python
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

# What jaxgrad needs, by pyproject.toml alone: these layers stay where only sources have changed.
FROM python AS dependencies
RUN pip install "uv<1"
WORKDIR /build
COPY pyproject.toml .
ENV VIRTUAL_ENV=/opt/jaxgrad
RUN python -m venv "$VIRTUAL_ENV" && uv pip install --no-cache --compile-bytecode -r pyproject.toml

FROM dependencies AS dependencies-cuda
RUN uv pip install --no-cache --compile-bytecode -r pyproject.toml --extra cuda

# The version is that of a tag, which is not sent to the builder: VERSION tells it.
FROM python AS wheel
WORKDIR /build
COPY . .
ARG VERSION=0.0
RUN SETUPTOOLS_SCM_PRETEND_VERSION="$VERSION" pip wheel --no-deps --wheel-dir /wheel .

FROM python AS user
RUN useradd --create-home --uid 1000 jaxgrad && install --directory --owner=jaxgrad --mode=1777 /work
# Any user may be told to run it: caches go where any user can write.
ENV PATH=/opt/jaxgrad/bin:$PATH XDG_CACHE_HOME=/tmp/cache MPLCONFIGDIR=/tmp/cache/matplotlib
WORKDIR /work
ENTRYPOINT ["jaxgrad"]
CMD ["--help"]

FROM user AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=dependencies-cuda /opt/jaxgrad /opt/jaxgrad
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    /opt/jaxgrad/bin/python -m pip install --no-deps --no-index /wheel/*.whl
USER 1000

# The whole Python image, which has git and make; jaxgrad itself is installed by `make setup`.
FROM python:${PYTHON} AS dev
RUN useradd --create-home --shell /bin/bash --uid 1000 dev
USER 1000

# The last one is what `docker build` makes where no target is named.
FROM user AS cpu
COPY --from=dependencies /opt/jaxgrad /opt/jaxgrad
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    /opt/jaxgrad/bin/python -m pip install --no-deps --no-index /wheel/*.whl
USER 1000
