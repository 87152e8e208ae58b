"""A new model config for a running server, refused here when the server could not live with it."""

from __future__ import annotations

from google.protobuf import text_format

from clients.errors import DeadlineExceeded, ReloadRefused
from model_config import server_messages_pb2 as messages


def request(config: messages.ModelServerConfig | str) -> bytes:
    """A ReloadConfigRequest from a model config, a message or protobuf text.

    Raises:
        ReloadRefused: it is no model config, or one that would do harm.
    """
    made = messages.ReloadConfigRequest(config=_parsed(config) if isinstance(config, str) else config)
    if not made.config.HasField("model_config_list"):
        raise ReloadRefused("the config has no model_config_list; to unload everything send an empty one")
    for model in made.config.model_config_list.config:
        if not model.model_platform:
            # the server would refuse this one and keep it, and then refuse every later one too
            raise ReloadRefused(f'model {model.name} has no platform; add model_platform: "tensorflow"')
    return made.SerializeToString()


def _parsed(text: str) -> messages.ModelServerConfig:
    try:
        return text_format.Parse(text, messages.ModelServerConfig())
    except text_format.ParseError as error:
        raise ReloadRefused(f"this is no model config: {error}; {ReloadRefused.remedy}") from error


def check(answer: bytes) -> None:
    """ReloadRefused when the server answered, but not that all is well."""
    status = messages.ReloadConfigResponse.FromString(answer).status
    if status.error_code:
        raise ReloadRefused(f"the server refused the config: {status.error_message}; {ReloadRefused.remedy}")


def hung(error: DeadlineExceeded) -> DeadlineExceeded:
    """The error of a config that was not taken up in time, with what that may mean."""
    told = DeadlineExceeded(
        f"{error}; or, if a base_path or version of the config does not exist, the server waits for it for ever "
        "and takes no other config: put it there, or restart the server"
    )
    told.code = error.code
    return told
