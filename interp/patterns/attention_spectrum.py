"""Attention spectrum: over how many directions patterns, W_QK, W_OV and MLP weights spread."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.intervals import bootstrap_mean
from interp.core.options import Count, Index
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.gathering import Gathered, gather
from interp.corpus.options import CorpusOptions, windows_of
from interp.decomposition.head_matrices import attending, turns, written
from interp.kinds import AttentionSpectrum
from interp.models.hooked import HookedModel
from interp.models.weights import Linear
from interp.patterns.spectra.patterns import PATTERNS, SpectrumSums, inputs_of_mlp
from interp.patterns.spectra.ranks import NAMES, gaussian, ranks
from interp.patterns.watching import pattern_obstacle


@dataclass(frozen=True)
class AttentionSpectrumOptions(CorpusOptions):
    """The text, and the positions left out of what weighs the MLPs' inputs."""

    windows: Count = Field(8, description="number of windows taken from the corpus")
    length: Count = Field(128, description="tokens per window: a pattern is a matrix of that size")
    skip: Index = Field(1, description="initial positions of every window left out of what weighs an MLP's inputs")


class Row(NamedTuple):
    """One matrix: its ranks with their intervals, those of a random one, and the greatest rank that it can have."""

    matrix: str
    layer: int
    head: int
    measures: np.ndarray
    random: np.ndarray
    largest: float
    bounds: np.ndarray


def _obstacle(model: HookedModel) -> str | None:
    return pattern_obstacle(model) or model.obstacle("layers", "turning", "alone")


@engine(obstacle=_obstacle, default_prompts=windows_of)
def attention_spectrum(model: HookedModel, prompts: Prompts, options: AttentionSpectrumOptions) -> AttentionSpectrum:
    """Stable and effective rank of attention patterns, W_QK, W_OV and MLP weights, compared with random matrices.

    Of every head's pattern (`A`, mean over windows with its interval; `A without first` lacks the first key, on which
    many heads rest), of W_Q W_Kᵀ at distance 0 and W_V W_O through their thin factors, with the norms before and after
    them as `head_matrices` folds them in, and of each MLP matrix as it stands and `weighted`: every input scaled by the
    root of its mean square over the text. Of an MLP: `MLP in` (or `MLP gate` and `MLP up`) and `MLP out`.

    Controls: for a pattern the softmax of independent normal scores over the same visible keys, for weights independent
    normal entries of the same shape (for W_QK and W_OV two such factors), scaled like the weighted ones. A mixture of
    experts has no MLP matrices here.
    Unit: number of directions, from 1 to the smaller side.
    Source: Wang et al. 2020, "Linformer", section 3, on spectra of patterns; Roy & Vetterli 2007, equation 3, for the
    effective rank; Li et al. 2024, "LoRAP", for weights scaled by their inputs.
    """
    sums = gather(model, prompts, SpectrumSums(options.skip, options.seed))
    rows = [*_patterns(sums), *_heads(model, options.seed), *_mlps(model, sums, options.seed)]
    columns = dict(zip(Row._fields, zip(*rows, strict=True), strict=True))
    measures, random, bounds = (np.array(columns[name]) for name in ("measures", "random", "bounds"))
    values = {"largest_rank": np.array(columns["largest"], float)}
    for at, name in enumerate(NAMES):
        values |= {name: measures[:, at], f"random_{name}": random[:, at], f"{name}_interval": bounds[:, at]}
    return AttentionSpectrum.of(
        prompts,
        values,
        measured=f"ranks of attention patterns over {len(prompts):,} windows, and of the weights of {model.name}",
        matrix=("component", np.array(columns["matrix"], dtype=object)),
        layer=("component", np.array(columns["layer"])),
        head=("component", np.array(columns["head"])),
    )


def _patterns(sums: Gathered) -> Iterator[Row]:
    size = float(sums.rows("size").mean())
    for name, start in PATTERNS.items():
        mean, low, high = bootstrap_mean(sums.rows(name))
        random = bootstrap_mean(sums.rows(f"random {name}"))[0]
        for layer, head in np.ndindex(*mean.shape[1:]):
            at = (slice(None), layer, head)
            bounds = np.stack([low[at], high[at]], -1)
            yield Row(name, layer, head, mean[at], random[:, layer], size - start, bounds)


def _heads(model: HookedModel, seed: int) -> Iterator[Row]:
    width, inner = model.dims.d_model, model.dims.d_head
    generator = torch.Generator().manual_seed(seed)
    product = gaussian((width, inner), generator), gaussian((inner, width), generator)
    random, turn = ranks(_of_product(*product)), turns(model, 0)
    for layer in track(range(model.dims.layers), model.dims.layers, "spectra of heads"):
        for name, singular in (("QK", attending(model, layer, turn[layer])), ("OV", written(model, layer).strength)):
            for head, values in enumerate(singular):
                yield _of_weights(name, layer, head, values, random, min(width, inner))


def _mlps(model: HookedModel, sums: Gathered, seed: int) -> Iterator[Row]:
    layers, tokens = model.dims.layers, max(1, int(sums.totals["tokens"]))
    if not inputs_of_mlp(model):
        return
    plain: dict[torch.Size, np.ndarray] = {}
    for layer in track(range(layers), layers, "spectra of MLPs"):
        for name, linear in _mlp_matrices(model, layer).items():
            matrix = linear.matrix.double()
            energy = sums.totals["out" if name == "out" else "in"][layer] / tokens
            scale = torch.from_numpy(energy).to(matrix).sqrt()[:, None]
            noise = gaussian(matrix.shape, torch.Generator().manual_seed(seed)).to(matrix)
            if matrix.shape not in plain:
                plain[matrix.shape] = ranks(_of_wide(noise))
            label, largest = f"MLP {name}", min(matrix.shape)
            yield _of_weights(label, layer, -1, _of_wide(matrix), plain[matrix.shape], largest)
            random = ranks(_of_wide(noise * scale))
            yield _of_weights(f"{label}, weighted", layer, -1, _of_wide(matrix * scale), random, largest)


def _mlp_matrices(model: HookedModel, layer: int) -> dict[str, Linear]:
    up = model.weights.mlp_up(layer)
    pre = {"in": model.weights.mlp_pre(layer)} if up is None else {"gate": model.weights.mlp_pre(layer), "up": up}
    return pre | {"out": model.weights.mlp_out(layer)}


def _of_wide(matrix: Float[Tensor, "row column"]) -> Tensor:
    """Singular values from the smaller Gram matrix: a fifth of the time, and 1e-8 of the largest is kept."""
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    return torch.linalg.eigvalsh(matrix @ matrix.mT).clamp(min=0).sqrt()


def _of_weights(name: str, layer: int, head: int, singular: Tensor, random: np.ndarray, largest: int) -> Row:
    measures = ranks(singular)
    known = float(largest) if np.isfinite(measures).all() else np.nan
    return Row(name, layer, head, measures, random, known, np.full((len(NAMES), 2), np.nan))


def _of_product(left: Float[Tensor, "row inner"], right: Float[Tensor, "inner column"]) -> Tensor:
    """The singular values of a product of thin factors."""
    outer, inner = torch.linalg.qr(left, mode="r").R, torch.linalg.qr(right.mT, mode="r").R
    return torch.linalg.svdvals(outer @ inner.mT)
