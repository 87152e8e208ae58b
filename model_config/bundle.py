"""All that a server is started with beside the models: its config files, and the flags that name them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format

from model_config import base_path, files, server_config
from model_config import server_messages_pb2 as messages
from model_config.errors import SuiteError

BATCHING, MONITORING, SESSION, TLS = "batching.config", "monitoring.config", "session.config", "tls.config"
METRICS_PATH = "/monitoring/prometheus/metrics"

_MONITORING_TEXT = f'prometheus_config {{ enable: true path: "{METRICS_PATH}" }}\n'
# float operations in bfloat16 where the processor has it: a few digits less, up to twice as fast
_BFLOAT16_TEXT = "graph_options { rewrite_options { auto_mixed_precision_onednn_bfloat16: ON } }\n"
# a broken version fails at once instead of after five retries a minute apart; labels may come with the first config
_ALWAYS = ("--max_num_load_retries=0", "--allow_version_labels_for_unavailable_models=true")
_BATCHED = ("--enable_batching=true", "--enable_per_model_batching_parameters=true")


@dataclass(frozen=True)
class Certificates:
    """PEM files of a server that speaks TLS.

    Attributes:
        ca: whom to trust; None for what the system trusts.
        require_client: only clients whose certificate this CA signed are let in.
    """

    key: Path
    cert: Path
    ca: Path | None = None
    require_client: bool = False


@dataclass(frozen=True)
class Choices:
    """What the operator decides about a server, whatever it serves.

    Attributes:
        batching: put requests together, as each version's own parameters say.
        bfloat16: let processors that have it compute in bfloat16.
        certificates: speak TLS; without them plain text.
    """

    batching: bool = False
    bfloat16: bool = False
    certificates: Certificates | None = None


@dataclass(frozen=True)
class Bundle:
    """The files by name, and the flags that need no file."""

    files: Mapping[str, str]
    plain_flags: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Put the files into a folder, all or none; the one that holds a private key is for nobody else to read."""
        files.replace(folder, {name: text.encode() for name, text in self.files.items()}, private=(TLS,))

    def flags(self, folder: str) -> tuple[str, ...]:
        """The server's start-up flags, the files being in ``folder`` as the server sees it."""
        return (*(f"{_FLAGS[name]}={folder}/{name}" for name in self.files), *self.plain_flags)


_FLAGS: Mapping[str, str] = {
    server_config.FILE: "--model_config_file",
    MONITORING: "--monitoring_config_file",
    BATCHING: "--batching_parameters_file",
    SESSION: "--tensorflow_session_config_file",
    TLS: "--ssl_config_file",
}


def make(
    models: Sequence[server_config.Served], versions: Sequence[base_path.Version], choices: Choices | None = None
) -> Bundle:
    """The bundle that serves ``models``, which are made of ``versions``."""
    choices = choices or Choices()
    texts = {server_config.FILE: server_config.render(models), MONITORING: _MONITORING_TEXT}
    if choices.batching:
        texts[BATCHING] = server_config.batching_parameters(common_sizes(versions))
    if choices.bfloat16:
        texts[SESSION] = _BFLOAT16_TEXT
    if choices.certificates:
        texts[TLS] = tls(choices.certificates)
    return Bundle(texts, (*_ALWAYS, *(_BATCHED if choices.batching else ())))


def versions_of(models: Sequence[server_config.Served], repository: Path) -> list[base_path.Version]:
    """The versions on disk that a config serves."""
    return [
        base_path.require(repository, Path(served.base_path).name, number)
        for served in models
        for number in served.versions
    ]


def common_sizes(versions: Sequence[base_path.Version]) -> list[int]:
    """The batch sizes that every version was made for; SuiteError when there is none."""
    each = [set(version.manifest.batch_sizes) for version in versions if version.manifest]
    common = sorted(set.intersection(*each)) if each else []
    if not common:
        raise SuiteError(
            "the versions have no batch size in common, so the server cannot batch for them; "
            "build them with the same batch_sizes, or serve them without batching"
        )
    return common


def tls(certificates: Certificates) -> str:
    """The ssl_config_file, which holds what is in the PEM files; SuiteError when one cannot be used."""
    config = messages.SSLConfig(
        server_key=_pem(certificates.key, "PRIVATE KEY"),
        server_cert=_pem(certificates.cert, "CERTIFICATE"),
        custom_ca=_pem(certificates.ca, "CERTIFICATE") if certificates.ca else "",
        client_verify=certificates.require_client,
    )
    _require_pair(certificates)
    return text_format.MessageToString(config)


def _require_pair(certificates: Certificates) -> None:
    """Let Python's own TLS try them: the server would start all the same and refuse every client."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificates.cert, certificates.key)
    except ssl.SSLError as error:
        raise SuiteError(
            f"{certificates.cert} and {certificates.key} cannot be used together ({error.reason or error}); "
            "name a certificate with its own key, or make some with: make certs"
        ) from error


def _pem(path: Path, kind: str) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise SuiteError(f"cannot read {path}: {reason}; make certificates to try it with: make certs") from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path} is no PEM file; convert it, or make certificates with: make certs") from error
    if f"{kind}-----" not in text:
        raise SuiteError(f"{path} holds no {kind.lower()}; name the PEM file that does, or make some with: make certs")
    return text
