# The converter beside the very TensorRT, CUDA and cuDNN that its versions will be served with.
#   make convert MODEL=demo VERSION=5 BACKEND=docker    builds it when it is missing, and converts in it
#   docker build --file docker/converter.Dockerfile --tag tf-serving-suite-converter:2.17.1-gpu .
ARG BASE=tensorflow/serving:2.17.1-gpu
# the base's own Python 3.8 is too old for TensorFlow 2.17; this one was built for the same glibc, 2.31, and finds the
# libraries it needs (OpenSSL 1.1, libffi 7, expat) where that one has them
ARG PYTHON=python:3.11-slim-bullseye

FROM ${PYTHON} AS python

FROM ${BASE}
COPY --from=python /usr/local/bin /usr/local/bin
COPY --from=python /usr/local/lib /usr/local/lib

# what TensorFlow's wheel looks for is the base's; no NVIDIA package is installed beside it
ENV LD_LIBRARY_PATH=/usr/local/lib:/usr/local/cuda/lib64:/usr/local/cuda/extras/CUPTI/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    TF_SERVING_SUITE_CONVERTER=1

WORKDIR /suite
COPY requirements.lock ./
RUN python -m pip install --no-cache-dir --require-hashes --only-binary=:all: --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY model_config model_config
COPY evaluation evaluation
COPY converters converters
COPY serving serving
COPY clients clients
COPY demo demo
COPY training training
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation .

# whoever runs it needs no entry in the image's list of users, and has no home there
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["python", "-m", "converters"]
CMD ["--help"]
