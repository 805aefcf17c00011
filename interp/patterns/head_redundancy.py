"""Head redundancy: the loss without each head, and which other head writes the most similar output."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass as options_dataclass

from interp.core.engine import engine
from interp.core.intervals import with_interval
from interp.core.options import Count, Index
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.gathering import gather
from interp.corpus.kernels import FEWEST, u_centred
from interp.corpus.losses import losses_of, predicts_next, window_losses
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.sums import Sums, Totals
from interp.kinds import HeadRedundancy
from interp.models.edits import Edit
from interp.models.hooked import HookedModel, Trace
from interp.models.sites import Site

Ablation = Literal["zero", "mean"]


@options_dataclass(frozen=True)
class HeadRedundancyOptions(CorpusOptions):
    """The text, and what takes the place of a head's output."""

    windows: Count = Field(8, description="number of windows taken from the corpus; every head is a run over them")
    length: Count = Field(128, description="tokens per window")
    ablation: Ablation = Field("zero", description="the removed head's output: zero, or its mean over the window")
    skip: Index = Field(1, description="initial positions of every window left out of similarities")


@dataclass(frozen=True)
class WithoutHeads:
    """Rows a window: `clean` loss, and `without` each head (layer, head). Total: `hsic` of every two heads' outputs."""

    ablation: Ablation
    skip: int
    name: str = "head-redundancy"

    def settings(self) -> dict[str, int | float | str]:
        """What distinguishes these sums from others."""
        return {"ablation": self.ablation, "skip": self.skip}

    def measure(self, model: HookedModel, windows: Prompts, first: int, into: Totals | None = None) -> Sums:
        """The sums of some windows."""
        layers, heads = model.dims.layers, model.dims.heads
        totals = into or {"hsic": np.zeros((layers * heads, layers * heads))}
        clean, without = np.full(len(windows), np.nan), np.full((len(windows), layers, heads), np.nan)
        trace = model.run(windows, record=[*model.sites("z"), *model.sites("resid_pre")])
        self._compare(model, windows, trace, totals)
        if predicts_next(model):
            clean = losses_of(trace.logits, windows)
            for layer, head in track(np.ndindex(layers, heads), layers * heads, "losses without each head"):
                start = (layer, trace[Site("resid_pre", layer)])
                edit = self._edit(windows, trace, layer, head)
                without[:, layer, head] = window_losses(model, windows, [edit], start=start)
        return Sums(totals, {"clean": clean, "without": without})

    def _edit(self, windows: Prompts, trace: Trace, layer: int, head: int) -> Edit:
        site = Site("z", layer)
        if self.ablation == "zero":
            return Edit.zero(site, head=head)
        return Edit.mean(site, trace[site], windows.mask.to(trace[site].device), head=head)

    def _compare(self, model: HookedModel, windows: Prompts, trace: Trace, totals: Totals) -> None:
        """Count in the products of the heads' centred kernels, a window a minibatch."""
        outputs = [model.weights.head_outputs(site.layer or 0, trace[site]) for site in model.sites("z")]
        for row, mask in enumerate(windows.mask):
            there = mask.nonzero()[self.skip :, 0]
            if len(there) < FEWEST:
                continue
            each = (one for layer in outputs for one in layer[row, there].transpose(0, 1).double())
            kernels = torch.stack([u_centred(one) for one in each])
            totals["hsic"] += (kernels @ kernels.T).cpu().numpy() / (len(there) * (len(there) - 3))


def _obstacle(model: HookedModel) -> str | None:
    return model.edit_obstacle(Site("z", 0))


@engine(obstacle=_obstacle, default_prompts=windows_of)
def head_redundancy(model: HookedModel, prompts: Prompts, options: HeadRedundancyOptions) -> HeadRedundancy:
    """How much the loss rises without each head alone, and which other head's output is most like its own.

    Next-token loss with one head's weighted values set to zero (or to their mean over the window), minus the loss of
    the whole model: `layer head`, mean over windows with its interval. Similarity: centred kernel alignment of what two
    heads write to the stream, over the tokens of each window; the nearest other head and the mean over all others,
    which is what an arbitrary head would score.

    A rise near 0 says that the others make up for the head, not that it does nothing. Each run starts from the stream
    into the head's layer.
    Unit: nats; CKA is 1 for outputs alike up to rotation and scale, about 0 for unrelated ones.
    Source: Michel et al. 2019, "Are Sixteen Heads Really Better than One?", section 3.2; Peng et al. 2020, "A Mixture
    of h − 1 Heads is Better than h Heads"; Nguyen et al. 2021, equations 2 to 4, for the unbiased CKA.
    """
    sums = gather(model, prompts, WithoutHeads(options.ablation, options.skip))
    layers, heads = model.dims.layers, model.dims.heads
    clean = sums.rows("clean")
    similar = _alignment(sums.totals["hsic"])
    known = np.isfinite(similar)
    best = np.where(known, similar, -np.inf).argmax(1)
    names = [f"a{at // heads}.{at % heads}" if known[row, at] else "" for row, at in enumerate(best)]
    total, count = np.where(known, similar, 0).sum(1), known.sum(1)
    mean = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    shape = (layers, heads)
    return HeadRedundancy.of(
        prompts,
        {
            **with_interval("increase", sums.rows("without") - clean[:, None, None]),
            "similarity": similar[np.arange(len(best)), best].reshape(shape),
            "nearest": np.array(names, dtype=object).reshape(shape),
            "mean_similarity": mean.reshape(shape),
            **with_interval("loss", clean),
        },
        measured=f"loss without each head alone ({options.ablation} ablation), and CKA between the outputs of heads, "
        f"over {len(prompts):,} windows",
        sign="increase > 0: the head lowers the loss",
    )


def _alignment(hsic: Float[np.ndarray, "head other"]) -> Float[np.ndarray, "head other"]:
    """CKA of every two heads; NaN of a head with itself, and of one that writes the same at all tokens."""
    own = np.diag(hsic)
    own = np.where(own > 1e-12 * own.max(initial=0), own, np.nan)
    similar = hsic / np.sqrt(np.outer(own, own))
    np.fill_diagonal(similar, np.nan)
    return similar
