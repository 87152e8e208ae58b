"""What versions are loaded with: as the flags say, or as the platform config says that takes their place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from serving.embedded import batching_parameters, files, refusals
from serving.embedded.batching_parameters import Batching
from serving.embedded.flag_files_pb2 import PlatformConfigMap, SavedModelBundleSourceAdapterConfig
from serving.embedded.flags import Flags
from serving.embedded.loading import Loading
from serving.embedded.metrics import Metrics
from serving.embedded.model_configs import PLATFORM


def loading(flags: Flags, metrics: Metrics) -> Loading:
    """How the server loads; Refusal says what is wrong with the flags or with a file that they name."""
    if flags.platform_config_file is None:
        return _by_flags(flags, metrics)
    standard = Loading(
        metrics, retries=max(0, flags.max_num_load_retries), interval_s=flags.load_retry_interval_micros / 1e6
    )
    return _by_file(flags.platform_config_file, standard)


def _by_file(path: Path, standard: Loading) -> Loading:
    configs = files.read(path, PlatformConfigMap()).platform_configs
    adapter = SavedModelBundleSourceAdapterConfig()
    if PLATFORM not in configs or not configs[PLATFORM].source_adapter_config.Unpack(adapter):
        raise refusals.invalid(
            f"{path} has no {adapter.DESCRIPTOR.full_name} for the platform {PLATFORM}",
            f'write one: platform_configs {{ key: "{PLATFORM}" value {{ source_adapter_config {{ '
            f"[type.googleapis.com/{adapter.DESCRIPTOR.full_name}] {{ legacy_config {{ }} }} }} }} }}",
        )
    config = adapter.legacy_config
    batched = config.HasField("batching_parameters")
    return replace(
        standard,
        session_config=config.session_config,
        tags=tuple(config.saved_model_tags) or standard.tags,
        batching=batching_parameters.of(config.batching_parameters, path) if batched else None,
        warm_up=config.enable_model_warmup,
    )


def _by_flags(flags: Flags, metrics: Metrics) -> Loading:
    return Loading(
        metrics,
        session_config=_session_config(flags),
        tags=tuple(flags.saved_model_tags.split(",")),
        batching=_batching(flags),
        batching_of_versions=flags.enable_per_model_batching_parameters,
        warm_up=flags.enable_model_warmup,
        retries=max(0, flags.max_num_load_retries),
        interval_s=flags.load_retry_interval_micros / 1e6,
    )


def _session_config(flags: Flags) -> Any:
    config = tf.compat.v1.ConfigProto()
    if flags.tensorflow_session_config_file is not None:
        files.read(flags.tensorflow_session_config_file, config)
    both = flags.tensorflow_session_parallelism
    for side in ("intra", "inter"):
        threads = getattr(flags, f"tensorflow_{side}_op_parallelism") or both
        if threads:
            setattr(config, f"{side}_op_parallelism_threads", threads)
    if flags.per_process_gpu_memory_fraction:
        config.gpu_options.per_process_gpu_memory_fraction = flags.per_process_gpu_memory_fraction
    return config


def _batching(flags: Flags) -> Batching | None:
    if flags.enable_batching:
        path = flags.batching_parameters_file
        return Batching() if path is None else batching_parameters.read(path)
    if flags.batching_parameters_file is not None:
        raise refusals.invalid(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true.",
            "add --enable_batching",
        )
    return None
