"""The mean and the position part of every layer's stream, over windows of a corpus."""

import dataclasses

import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.errors import CorpusError, OptionError
from interp.core.options import Index, parse_options
from interp.core.paths import typed_path
from interp.core.prompts import Prompts
from interp.corpus.gathering import Gathered, gather, opened
from interp.corpus.options import CorpusOptions, windows_of
from interp.geometry.positions.position_sums import PositionSums
from interp.models.hooked import HookedModel
from interp.models.sources import cache_folder


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

    @classmethod
    def of(cls, gathered: Gathered, skip: int, name: str = "by_position") -> "Parts":
        """The parts in what `PositionSums` summed up, or those of its control, `name` = "shuffled"."""
        by_position = torch.from_numpy(gathered.totals[name]) / int(gathered.totals["windows"])
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
    told = options.sums.settings() | {"windows": windows} | ({} if length == 256 else {"length": length})
    name = "-".join([model.weight_hash, *(f"{key}{value}" for key, value in told.items())])
    folder = cache_folder("statistics") / name
    try:
        opened(folder, model, options.sums)
    except CorpusError:  # new or unfinished; what is wrong with it is told in the second attempt
        gather(model, windows_of(model, options), options.sums, out=folder)
    return str(folder)


def gathered(model: HookedModel, options: PositionOptions, windows: Prompts | None = None) -> Gathered:
    """The sums over `windows`, or over those that the options name; what a folder holds is not run again.

    Raises: CorpusError for a folder that cannot be used; OptionError if it is of other windows than those given.
    """
    if not options.statistics:
        return gather(model, windows_of(model, options) if windows is None else windows, options.sums)
    found = opened(typed_path(options.statistics), model, options.sums)
    if windows is not None and windows.hash != found.windows.hash:
        raise OptionError(
            f"statistics = {options.statistics}: it contains statistics of other text; give either it or prompts"
        )
    return found
