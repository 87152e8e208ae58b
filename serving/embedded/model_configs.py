"""The models of a config, refused in the stock server's words where they are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tensorflow_serving.config import model_server_config_pb2

from serving.embedded import refusals

PLATFORM = "tensorflow"


def of_one_model(name: str, base_path: str) -> Any:
    """The config that ``--model_name`` and ``--model_base_path`` stand for."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform=PLATFORM)
    return config


def models(config: Any, platforms: Mapping[str, str]) -> Sequence[Any]:
    """The ModelConfigs of a ModelServerConfig.

    Args:
        config: the ModelServerConfig.
        platforms: of the models served now, by name.

    Raises:
        Refusal: they contradict themselves or what is served.
    """
    found: Sequence[Any] = config.model_config_list.config
    _require_unique([model.name for model in found])
    for model in found:
        if not model.base_path.startswith("/"):
            raise refusals.invalid(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}",
                "write the whole path, from / on",
            )
    for model in found:
        _require_platform(model.name, platform(model), platforms.get(model.name))
    return found


def platform(model: Any) -> str:
    """What a ModelConfig asks for, in the deprecated way too."""
    if model.model_platform or model.model_type != model_server_config_pb2.TENSORFLOW:
        return str(model.model_platform)
    return PLATFORM


def _require_unique(names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise refusals.invalid(
                f"Illegal to list model {name} multiple times in config list", "give each entry a name of its own"
            )


def _require_platform(name: str, wanted: str, served: str | None) -> None:
    remedy = f'write model_platform: "{PLATFORM}"'
    if served not in (None, wanted) and wanted:
        raise refusals.invalid(
            f"Illegal to change a model's platform. For model {name} platform was {served} "
            f"and new platform requested is {wanted}",
            remedy,
        )
    if not wanted:
        raise refusals.invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {name}",
            remedy,
        )
    if wanted != PLATFORM:
        raise refusals.invalid(f"Model {name} requests unsupported platform {wanted}", remedy)
