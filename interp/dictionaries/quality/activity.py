"""What dictionaries make of their site over windows of text, as sums: nothing of the windows themselves is kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.prompts import Prompts
from interp.corpus.batches import batches
from interp.dictionaries.sae.attached import Attached

Rows = Callable[[int, Float[Tensor, "row feature"], Float[Tensor, "row width"]], None]
CHUNK = 1024  # decoder rows that are compared with all others at a time


@dataclass(frozen=True)
class FeatureSums:
    """Of one dictionary, over the positions that count: its features, and what it misses."""

    active: Float[Tensor, "feature"]
    total: Float[Tensor, "feature"]
    missed: float
    cosine: float


@dataclass(frozen=True)
class Activity:
    """The site's mean and its variation Σ‖x − mean‖² over the positions that count, and every dictionary's sums."""

    positions: int
    mean: Float[Tensor, "width"]
    variation: float
    features: tuple[FeatureSums, ...]


def activity(
    dictionaries: Sequence[Attached], windows: Prompts, mask: Bool[Tensor, "window pos"], see: Rows
) -> Activity:
    """Sums of dictionaries of one site over the positions `counted`, in float64.

    `see` is shown each batch: the number of its first window, and its rows of the first dictionary's features and of
    the site.
    """
    model, site = dictionaries[0].model, dictionaries[0].site
    total, squares = torch.zeros((), dtype=torch.float64), 0.0
    active, feature_sums = ([torch.zeros((), dtype=torch.float64) for _ in dictionaries] for _ in range(2))
    squared_error, cosine = ([0.0] * len(dictionaries) for _ in range(2))
    with torch.no_grad():
        for first, some in batches(windows, "sae-quality: features of windows"):
            values = model.vectors(some, site)
            keep = mask[first : first + len(some), : some.width].to(values.device)
            x = values[keep].double()
            total = total + x.sum(0).cpu()
            squares += float(x.square().sum())
            for index, dictionary in enumerate(dictionaries):
                features = dictionary.encode(values)
                output = dictionary.sae.decode(features)[keep].double()  # at once: some remember the norm they read
                features = features[keep]
                active[index] = active[index] + (features != 0).sum(0).cpu()
                feature_sums[index] = feature_sums[index] + features.sum(0, dtype=torch.float64).cpu()
                squared_error[index] += float((x - output).square().sum())
                cosine[index] += float(torch.cosine_similarity(x, output).sum())
                if index == 0:
                    see(first, features, values[keep])
    positions = int(mask.sum())
    mean = total / positions
    sums = zip(active, feature_sums, squared_error, cosine, strict=True)
    return Activity(
        positions, mean, squares - positions * float(mean @ mean), tuple(FeatureSums(*each) for each in sums)
    )


def encoder_cosines(dictionary: Attached) -> Float[Tensor, "feature"]:
    """Cosine of each feature's encoder and decoder row; 0 where one of them is zero."""
    return torch.cosine_similarity(dictionary.sae.W_enc.T.double(), dictionary.sae.W_dec.double()).detach().cpu()


def nearest_cosines(rows: Float[Tensor, "feature width"]) -> Float[Tensor, "feature"]:
    """Cosine of each decoder row and the other one that is most like it; NaN where there is no other."""
    rows = torch.nn.functional.normalize(rows.detach().double())
    cosines = torch.full((len(rows),), torch.nan, dtype=torch.float64)
    if len(rows) == 1:
        return cosines
    for first in range(0, len(rows), CHUNK):
        alike = rows[first : first + CHUNK] @ rows.T
        here = torch.arange(len(alike), device=rows.device)
        alike[here, here + first] = -torch.inf
        cosines[first : first + CHUNK] = alike.amax(1).cpu()
    return cosines
