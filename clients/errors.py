"""What can go wrong between a question and its answer.

ClientError
├── ServerUnavailable      nothing answers at the address
│   └── TlsFailed          something does, but the two cannot agree on a secure connection
├── ServerBusy             the server has more to do than it takes on
├── DeadlineExceeded       the answer took too long
├── NotServed              what was asked for is not served now
│   ├── UnknownModel       the server has no model of that name
│   ├── UnknownVersion     the model has no such version
│   ├── UnknownLabel       no version has that label
│   ├── UnknownSignature   the version has no such signature
│   ├── StillLoading       not yet, but soon
│   ├── LoadFailed         the version could not be loaded; the text says why
│   └── Unloaded           it was served and is no more
├── BadRequest             the question does not fit what is asked
│   ├── WrongNames         inputs that are missing or not known
│   ├── WrongType          an input of another type than the signature's
│   ├── WrongShape         an input of another rank or size
│   ├── WrongBatch         a batch that is empty, too large or not the same in all inputs
│   ├── WrongOutputs       outputs that the signature does not give, or twice
│   ├── WrongMethod        the signature is for another kind of call
│   ├── BadExample         a tf.Example without what the model reads from it
│   └── Malformed          a message that makes no request
├── ReloadRefused          the server keeps its config
├── NotSupported           the server knows no such call
├── ServerFailed           the server broke while answering
└── BadAnswer              the answer is not what it should be
"""

from __future__ import annotations

from typing import ClassVar

from evaluation import errors
from model_config.errors import SuiteError


class ClientError(SuiteError):
    """A question that got no good answer.

    Attributes:
        code: gRPC's name of the status the server answered, such as ``NOT_FOUND``; empty when nothing was sent.
        remedy: what to do about it, as the message says too.
    """

    code: str = ""
    remedy: ClassVar[str] = ""


class ServerUnavailable(ClientError):
    """Nothing answers at the address."""

    remedy = "start one with 'make serve', or check the address"


class TlsFailed(ServerUnavailable):
    """Something answers, but the two cannot agree on a secure connection."""

    remedy = "name the CA that signed its certificate with --ca, and with --cert and --key your own where it wants one"


class ServerBusy(ClientError):
    """The server has more to do than it takes on."""

    remedy = "ask fewer things at a time, or let it take on more (max_enqueued_batches, --grpc_max_threads)"


class DeadlineExceeded(ClientError):
    """The answer took longer than the deadline."""

    remedy = "allow more time, or send smaller batches"


class NotServed(ClientError):
    """What was asked for is not served now."""

    remedy = "see what is served with: python -m clients status"


class UnknownModel(NotServed):
    """The server has no model of that name."""

    remedy = "check the name against the server's model config"


class UnknownVersion(NotServed):
    """The model has no such version."""

    remedy = "ask one of these, or serve it: python -m serving up --model NAME --version N"


class UnknownLabel(NotServed):
    """No version has that label."""

    remedy = "name a version, or give one the label in the model config (python -m model_config use --label L=N)"


class UnknownSignature(NotServed):
    """The version has no such signature."""

    remedy = "name one that it has"


class StillLoading(NotServed):
    """Not yet, but soon."""

    remedy = "wait for it with: python -m serving wait"


class LoadFailed(NotServed):
    """The version could not be loaded; the text says why."""

    remedy = "build it again with --replace"


class Unloaded(NotServed):
    """It was served and is no more."""

    remedy = "ask a version that is AVAILABLE, or serve it again"


class BadRequest(ClientError):
    """The question does not fit what is asked."""

    remedy = "compare with the signature: python -m clients status --signatures"


class WrongNames(BadRequest):
    """Inputs that are missing or not known."""


class WrongType(BadRequest):
    """An input of another type than the signature's."""

    remedy = "convert it with .astype(...)"


class WrongShape(BadRequest):
    """An input of another rank or size."""


class WrongBatch(BadRequest):
    """A batch that is empty, too large or not the same in all inputs."""

    remedy = (
        "the 0th dimension is the batch: send at least one, no more than the version takes, equally many everywhere"
    )


class WrongOutputs(BadRequest):
    """Outputs that the signature does not give, or twice."""

    remedy = "ask for each of its outputs once, or for none to get all"


class WrongMethod(BadRequest):
    """The signature is for another kind of call."""

    remedy = "ask a signature of the method you call; every signature answers Predict"


class BadExample(BadRequest):
    """A tf.Example without what the model reads from it."""

    remedy = "send serialised tf.Example records with the features and types the model parses"


class Malformed(BadRequest):
    """A message that makes no request."""

    remedy = "name a model, and let the client write the message"


class ReloadRefused(ClientError):
    """The server keeps its config."""

    remedy = "mend the config (python -m model_config use writes a good one) and send it again"


class NotSupported(ClientError):
    """The server knows no such call."""

    remedy = "check that this is a TensorFlow Serving server's gRPC port"


class ServerFailed(ClientError):
    """The server broke while answering."""

    remedy = "look into the server's log"


class BadAnswer(ClientError, errors.BadAnswer):
    """The answer is not what it should be."""
