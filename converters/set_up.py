"""What a server does to a model before the first request: it fills tables, from the files that come with the model."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef, MetaGraphDef

from model_config.errors import BuildError

# TensorFlow's own note among the signatures, which nobody can ask
INIT_OP: Final = "__saved_model_init_op"
_MAIN_OP: Final = "saved_model_main_op"
_LISTS: Final = (_MAIN_OP, "legacy_init_op")
_ASSET_LIST: Final = "saved_model_assets"
_ASSETS: Final = "assets"


@dataclass(frozen=True)
class SetUp:
    """The operation that fills tables, and the files it reads.

    Attributes:
        operation: its name in the graph.
        assets: TensorFlow's AssetFileDefs, each a file and the constant that says its path.
        folder: the SavedModel that the files are in.
    """

    operation: str
    assets: tuple[Any, ...]
    folder: Path

    @classmethod
    def of(cls, meta: Any, folder: Path) -> SetUp | None:
        """What a MetaGraphDef of a SavedModel says of it; None where there is nothing to do."""
        found = [name for key in _LISTS for name in meta.collection_def[key].node_list.value]
        if INIT_OP in meta.signature_def:
            found = [info.name for info in meta.signature_def[INIT_OP].outputs.values()]
        if not found:
            return None
        # the second is how TensorFlow 1 writes them
        packed = meta.collection_def[_ASSET_LIST].any_list.value
        written = [each.SerializeToString() for each in meta.asset_file_def] or [each.value for each in packed]
        return cls(found[0].partition(":")[0], tuple(map(AssetFileDef.FromString, written)), folder)

    @property
    def _assets(self) -> Path:
        return self.folder / _ASSETS

    @property
    def operations(self) -> list[str]:
        """What must stay in the graph under its name."""
        return [self.operation, *(each.tensor_info.name.partition(":")[0] for each in self.assets)]

    def run(self, session: Any) -> None:
        """Fill the tables of a session over the graph, as a server does."""
        session.run(self.operation, {each.tensor_info.name: str(self._assets / each.filename) for each in self.assets})

    def write(self, meta: MetaGraphDef, folder: Path) -> None:
        """Note it in the MetaGraphDef of another SavedModel, and take the files there."""
        meta.collection_def[_MAIN_OP].node_list.value.append(self.operation)
        meta.asset_file_def.extend(self.assets)
        if self.assets:
            try:
                shutil.copytree(self._assets, folder / _ASSETS)
            except FileNotFoundError as error:
                raise BuildError(f"{error.filename} is missing, which the model's tables are filled from") from error
