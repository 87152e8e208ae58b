# The client alone: it asks and measures, and needs no TensorFlow.
#   docker build --file docker/client.Dockerfile --tag tf-serving-suite-client .
#   docker run --rm --network host tf-serving-suite-client status --model demo
FROM python:3.11-slim

WORKDIR /suite
COPY pyproject.toml README.md LICENSE ./
COPY model_config model_config
COPY evaluation evaluation
COPY converters converters
COPY serving serving
COPY clients clients
COPY demo demo
COPY training training
RUN pip install --no-cache-dir .

# whoever asks needs no rights; results are written to the folder that is mounted at /work
RUN useradd --create-home asker
USER asker
WORKDIR /work
ENTRYPOINT ["python", "-m", "clients"]
CMD ["--help"]
