"""The mean and the position part of every layer's stream, over windows of a corpus."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.errors import CorpusError, OptionError
from interp.core.folders import RunFolder
from interp.core.options import Index, parse_options
from interp.core.paths import typed_path
from interp.core.prompts import Prompts
from interp.corpus.gathering import Gathered, gather, opened
from interp.corpus.options import CorpusOptions, windows_of
from interp.geometry.positions.position_sums import PositionSums
from interp.models.hooked import HookedModel
from interp.models.sources import cache_folder, shipped_folder

PARTS = "position-parts.npz"
PACKAGE_SIZE = 64, 256  # windows, and tokens of each, of the parts that come with the package


@dataclass(frozen=True)
class PositionOptions(CorpusOptions):
    """Which windows the parts come from: those of a corpus, or those whose sums a folder holds."""

    skip: Index = Field(1, description="initial positions to skip; the first is an attention sink")
    statistics: str = Field("", description="folder written by `interp corpus stats`, whose windows are not run again")

    @property
    def sums(self) -> PositionSums:
        """The sums that they ask for."""
        return PositionSums(self.skip, self.seed)


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """h = mean + position + what differs between windows, for the stream into every layer and out of the last one.

    `position` starts after the first `skip` positions, and sums to zero over the rest.
    """

    mean: Float[Tensor, "layer d_model"]
    position: Float[Tensor, "layer pos d_model"]
    skip: int

    def save(self, folder: Path, model: HookedModel, windows: int) -> None:
        """Write the parts alone, without the sums; `position` is rounded to half precision, 11 significant bits."""
        about = {"model": model.weight_hash, "skip": self.skip, "windows": windows}
        buffer = io.BytesIO()
        position = self.position.numpy().astype(np.float16)
        np.savez_compressed(buffer, mean=self.mean.numpy(), position=position, about=np.array(json.dumps(about)))
        RunFolder(folder).write(PARTS, buffer.getbuffer())

    @classmethod
    def opened(cls, folder: Path, model: HookedModel, skip: int) -> "Parts":
        """What `save` wrote. Raises: CorpusError if it is of another model or skips otherwise, or is damaged."""
        files, path = RunFolder(folder, CorpusError), folder / PARTS
        with files.reading(path), np.load(path, allow_pickle=False) as arrays:
            about, mean, position = json.loads(str(arrays["about"])), arrays["mean"], arrays["position"]
        identity = {"model": model.weight_hash, "skip": skip}
        files.require_same({name: about.get(name) for name in identity}, identity)
        return cls(torch.from_numpy(mean), torch.from_numpy(position.astype(np.float64)), skip)

    @classmethod
    def asked(cls, model: HookedModel, options: PositionOptions) -> "Parts":
        """Those that the options name. Raises: CorpusError for a folder that cannot be used."""
        if options.statistics and (folder := typed_path(options.statistics)).joinpath(PARTS).is_file():
            return cls.opened(folder, model, options.skip)
        return cls.of(gathered(model, options), options.skip)

    @classmethod
    def of(cls, sums: Gathered, skip: int, name: str = "by_position") -> "Parts":
        """The parts in what `PositionSums` summed up, or those of its control, `name` = "shuffled"."""
        by_position = torch.from_numpy(sums.totals[name]) / int(sums.totals["windows"])
        mean = by_position.mean(1)
        return cls(mean, by_position - mean[:, None], skip)


def default_windows(model: HookedModel, options: PositionOptions) -> Prompts:
    """The windows that the options name."""
    if options.statistics:
        return opened(typed_path(options.statistics), model, options.sums).windows
    return windows_of(model, options)


def statistics(model: HookedModel, windows: int = 64, length: int = 256) -> str:
    """The folder of the sums over windows of the default corpus; made once, and kept in the cache.

    Raises: CorpusError for a folder of that name that cannot be used.
    """
    options: PositionOptions = parse_options("statistics", PositionOptions, {"windows": windows, "length": length})
    settings = options.sums.settings() | {"windows": windows} | ({} if length == 256 else {"length": length})
    name = "-".join([model.weight_hash, *(f"{key}{value}" for key, value in settings.items())])
    folder = cache_folder("statistics") / name
    try:
        opened(folder, model, options.sums)
    except CorpusError:  # new or unfinished; what is wrong with it is told in the second attempt
        gather(model, windows_of(model, options), options.sums, out=folder)
    return str(folder)


def position_parts(model: HookedModel, windows: int = 64, length: int = 256) -> str:
    """The folder of the position parts that `qk_split` needs: the one that comes with the package, or `statistics`.

    That of the package holds the position parts in half precision: measured on the default model, the rounding is at
    most 0.01 standard errors of these means over windows (0.0003 in quadratic mean), and the terms of a score add up
    exactly whatever the parts. Raises: CorpusError as `statistics` does.
    """
    folder = shipped_folder(model.weight_hash)
    ships = (windows, length) == PACKAGE_SIZE and (folder / PARTS).is_file()
    return str(folder) if ships else statistics(model, windows, length)


def gathered(model: HookedModel, options: PositionOptions, windows: Prompts | None = None) -> Gathered:
    """The sums over `windows`, or over those that the options name; what a folder holds is not run again.

    Raises: CorpusError for a folder that cannot be used; OptionError if it is of other windows than those given.
    """
    if not options.statistics:
        return gather(model, windows_of(model, options) if windows is None else windows, options.sums)
    sums = opened(typed_path(options.statistics), model, options.sums)
    if windows is not None and windows.hash != sums.windows.hash:
        raise OptionError(
            f"statistics = {options.statistics}: it contains statistics of other text; give either it or prompts"
        )
    return sums
