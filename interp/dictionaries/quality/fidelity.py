"""What a model loses when a dictionary speaks for its site, beside what it loses without the site."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp.core.intervals import percentile_interval, resampling_weights
from interp.core.prompts import Prompts
from interp.corpus.batches import batches
from interp.corpus.losses import log_likelihoods, predicting, predicts_next
from interp.dictionaries.quality.activity import Rows
from interp.dictionaries.sae.attached import Attached
from interp.models.edits import Edit
from interp.models.sites import Site

ABLATIONS = ("zero", "mean")
LEAST = 1e-5  # nats: about what float32 leaves of a mean loss


@dataclass(frozen=True)
class Fidelity:
    """Sums of each window: next-token cross entropy, and KL(clean ‖ run), of every run.

    The runs are "clean", "zero" and "mean" ablation, and the numbers of the dictionaries. A window has `tokens` that
    are predicted and `outputs` that are compared.
    """

    runs: tuple[str | int, ...]
    tokens: Float[np.ndarray, "window"]
    outputs: Float[np.ndarray, "window"]
    loss: Float[np.ndarray, "run window"]
    divergence: Float[np.ndarray, "run window"]
    next_token: bool

    def mean_loss(self, run: str | int) -> float:
        """Cross entropy a token; NaN where no next token is predicted."""
        return _ratio(self.loss[self.runs.index(run)], self.tokens)

    def mean_divergence(self, run: str | int) -> float:
        """KL from the clean run, an output."""
        return _ratio(self.divergence[self.runs.index(run)], self.outputs)


@dataclass(frozen=True)
class Score:
    """A number with its 95 % interval, or NaN and why."""

    value: float = nan
    low: float = nan
    high: float = nan
    undefined: str = ""


def fidelity(
    dictionaries: Sequence[Attached],
    windows: Prompts,
    mask: Bool[Tensor, "window pos"],
    mean: Float[Tensor, "width"],
    see: Rows,
) -> Fidelity:
    """Run windows as they are, with their site ablated, and with each dictionary's reconstruction in its place.

    Edits are made, and outputs compared, at the positions `counted`. `mean` is what mean ablation puts there. A model
    that predicts no next token has no loss; a head that pools has one output a window. Layers below the site run once.
    `see` is shown the first dictionary's features and the site, as `activity` shows them.
    """
    model, site = dictionaries[0].model, dictionaries[0].site
    runs = ("clean", *ABLATIONS, *range(len(dictionaries)))
    next_token = predicts_next(model)
    has_next = predicting(windows) & mask[:, :-1] & next_token
    has_output = torch.ones(len(windows), 1, dtype=torch.bool) if model.pools else mask
    loss, divergence = np.zeros((len(runs), len(windows))), np.zeros((len(runs), len(windows)))
    with torch.no_grad():
        for first, some in batches(windows, "sae-quality: losses of windows"):
            keep = mask[first : first + len(some), : some.width].to(model.device)
            below = [] if site.layer is None else [Site("resid_pre", site.layer)]
            trace = model.run(some, record=[site, *below])
            start = (site.layer, trace[below[0]]) if site.layer is not None else None
            see(first, dictionaries[0].encode(trace[site])[keep], trace[site].flatten(2)[keep])
            clean = _log_probabilities(trace.logits)
            del trace
            rows = slice(first, first + len(some))
            for index, run in enumerate(runs):
                logits = clean
                if run != "clean":
                    logits = model.run(some, edits=[_edit(dictionaries, run, mean, keep)], start=start).logits
                if next_token:
                    surprise = -log_likelihoods(logits, some).double().cpu()
                    loss[index, rows] = torch.where(has_next[rows, : some.width - 1], surprise, 0).sum(1)
                for row, there in enumerate(logits.reshape(clean.shape) if run != "clean" else ()):
                    apart = _divergence(there, clean[row])
                    divergence[index, first + row] = apart[has_output[first + row, : len(apart)]].sum()
    tokens, outputs = has_next.sum(1).double().numpy(), has_output.sum(1).double().numpy()
    return Fidelity(runs, tokens, outputs, loss, divergence, next_token)


def recovered(losses: Fidelity, ablation: str, dictionary: int, *, seed: int = 0) -> Score:
    """(CE_ablated − CE_spliced) / (CE_ablated − CE_clean), its interval over windows, or why it makes no sense.

    It makes none where no next token is predicted, or where the ablation does not raise the loss by more than its own
    noise over windows: the lower end of that rise's interval is to be positive.
    """
    some = losses.tokens > 0
    if not losses.next_token or not some.any():
        return Score(undefined="the model predicts no next token" if not losses.next_token else "no next token is left")
    clean, ablated, spliced = (losses.loss[losses.runs.index(run), some] for run in ("clean", ablation, dictionary))
    tokens, many = losses.tokens[some], int(some.sum()) > 1
    weights = resampling_weights(len(tokens), seed=seed) if many else np.ones((1, 1))
    rises = (weights @ (ablated - clean)) / (weights @ tokens)
    rise, (low, high) = _ratio(ablated - clean, tokens), percentile_interval(rises)
    if rise <= LEAST:
        return Score(undefined=f"{ablation} ablation does not raise the loss ({rise:+.2g} nats)")
    if low <= 0:
        return Score(
            undefined=f"{ablation} ablation raises the loss by no more than its noise ({rise:+.2g} nats, 95 % "
            f"{low:+.2g} to {high:+.2g})"
        )
    value = float((ablated - spliced).sum() / (ablated - clean).sum())
    if not many:
        return Score(value)
    low, high = percentile_interval((weights @ (ablated - spliced)) / (weights @ (ablated - clean)))
    return Score(value, float(low), float(high))


def _edit(
    dictionaries: Sequence[Attached], run: str | int, mean: Float[Tensor, "width"], keep: Bool[Tensor, "batch pos"]
) -> Edit:
    """What takes the site's place at the positions that count."""

    def through(values: Tensor) -> Tensor:
        if isinstance(run, int):
            other = dictionaries[run].reconstruct(values)
        elif run == "mean":
            other = mean.to(values).reshape(values.shape[2:]).expand_as(values)
        else:
            other = torch.zeros_like(values)
        return torch.where(keep.reshape(*keep.shape, *[1] * (values.dim() - 2)), other, values)

    return Edit.through(dictionaries[0].site, through)


def _log_probabilities(logits: Tensor) -> Float[Tensor, "batch row output"]:
    """In no less than float32; a classifier has one row a window."""
    values = logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))
    return values if values.dim() == 3 else values[:, None]


def _divergence(logits: Float[Tensor, "row output"], clean: Float[Tensor, "row output"]) -> Float[Tensor, "row"]:
    """KL(p ‖ q) of every row, where log p is `clean` and q what `logits` say."""
    now = logits.log_softmax(-1, dtype=clean.dtype)
    return torch.linalg.vecdot(clean.exp(), clean - now).double().cpu()


def _ratio(sums: Float[np.ndarray, "window"], counts: Float[np.ndarray, "window"]) -> float:
    return float(sums.sum() / counts.sum()) if counts.sum() else nan
