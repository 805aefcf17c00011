"""Rank-one model editing: another answer written into one MLP, and how far that reaches."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError, TargetError
from interp.core.metric import Metric
from interp.core.options import Count, Index, Rate, Repeats
from interp.core.progress import track
from interp.core.prompts import PromptPairs, Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.gathering import gather
from interp.corpus.options import CorpusOptions, windows_of
from interp.kinds import RankOneEdit
from interp.knowledge.rank_one import KeySums, key_direction, rank_one_edits
from interp.knowledge.subjects import subject_positions
from interp.models.edits import Edit
from interp.models.hooked import HookedModel
from interp.models.sites import Site

SURE = 0.95  # probability of the new answer at which the search for its value ends
LARGEST = 4.0  # of the change of the value, in norms of the value, as the reference has it


@dataclass(frozen=True)
class RankOneEditOptions(CorpusOptions):
    """Where the fact is written, how its value is searched for, and where the edit is tried."""

    layer: Index | None = Field(None, description="layer of the MLP; by default a third of the way up")
    subject: str = Field("", description="the subject; by default where prompt and corrupted prompt differ")
    paraphrases: tuple[str, ...] = Field((), description="prompts that ask the same, which are to follow the edit")
    neighbours: tuple[str, ...] = Field((), description="prompts about other subjects, which are to stay as they are")
    steps: Repeats = Field(25, description="gradient steps in search of the value")
    rate: Rate = Field(0.5, description="learning rate of these steps, in norms of the value over √d_model")
    ridge: float = Field(1e-3, ge=1e-12, le=1e3, description="added to the covariance of keys, as a share of its mean")
    windows: Count = Field(16, description="windows of the corpus for the covariance of keys")
    length: Count = Field(128, description="tokens per window")
    skip: Index = Field(1, description="initial positions of every window to skip; the first is often an outlier")


def _obstacle(model: HookedModel) -> str | None:
    return model.obstacle("mlp") or model.edit_obstacle(Site("mlp_post", 0)) or model.edit_obstacle(Site("mlp_out", 0))


@engine(obstacle=_obstacle)
def rank_one_edit(
    model: HookedModel, prompts: Prompts | PromptPairs, metric: Metric, options: RankOneEditOptions
) -> RankOneEdit:
    """Write the contrast in the answer's place by a rank-one change of one MLP, and try how far it reaches.

    W′ = W + (v* − Wk*)(C⁻¹k*)ᵀ / ((C⁻¹k*)ᵀk*): k* is the key at the subject's last token, v* the value there that makes
    the model answer the contrast, found by gradient steps, and C = E[kkᵀ] over a corpus. One edit for each prompt.

    Efficacy is the prompt's own log-odds; paraphrases should follow, neighbours stay. The plain edit has C = 1. The
    edit is applied while the model runs and leaves no weight changed; `interp.knowledge.rank_one.edits_of` gives it
    anew.
    Unit: nats.
    Raises: TargetError without a contrast; PromptError without a subject; OptionError for a layer or subject that is
    not there.
    Source: Meng et al. 2022, "Locating and Editing Factual Associations in GPT", section 3.
    Differs: the key is that of the prompt alone, without random prefixes; v* has no penalty on what else is said about
    the subject; C is that of a small corpus, with a ridge.
    """
    if metric.contrasts is None:
        raise TargetError("rank-one-edit writes the contrast in the answer's place; give a contrast")
    layer = model.dims.layers // 3 if options.layer is None else options.layer
    if layer >= model.dims.layers:
        raise OptionError(f"rank-one-edit, layer = {layer}: {model.name} has layers 0 to {model.dims.layers - 1}")
    places = subject_positions("rank-one-edit", prompts, options.subject)
    clean, odds = prompts.clean, _odds(metric)
    sums = gather(model, windows_of(model, options), KeySums(layer, options.skip)).totals
    require_tokens(int(sums["tokens"]), options.skip)
    covariance = sums["kk"] / int(sums["tokens"])
    rows: list[dict[str, Any]] = []
    for row in track(range(len(clean)), len(clean), "editing"):
        prompt, question = clean[[row]], odds.select([row])
        key, change = _searched(model, prompt, question, layer, places[row][-1], options)
        direction = key_direction(covariance, key, options.ridge)
        plain = key_direction(np.eye(len(key)), key, 0.0)
        values: dict[str, Any] = {"key_direction": direction, "value_change": change.double().cpu().numpy()}
        for name, edits in {
            "before": [],
            "after": rank_one_edits(layer, torch.from_numpy(direction), change),
            "plain": rank_one_edits(layer, torch.from_numpy(plain), change),
        }.items():
            values[name] = _log_odds(model, prompt, question, edits)[0]
            for texts, of in ((options.paraphrases, "paraphrase"), (options.neighbours, "neighbour")):
                if texts:
                    others = Prompts.of(model, texts)
                    values[f"{of}_{name}"] = _log_odds(model, others, _asked_of(model, question, others), edits)
        size = float(model.weights.mlp_out(layer).matrix.double().norm())
        values["weight_change"] = np.linalg.norm(direction) * np.linalg.norm(values["value_change"]) / size
        rows.append(values)
    texts_of = {"entry": options.paraphrases, "rank": options.neighbours}
    labels: dict[str, Any] = {axis: np.array(each, dtype=object) for axis, each in texts_of.items() if each}
    return RankOneEdit.of(
        clean,
        {name: np.stack([values[name] for values in rows]) for name in rows[0]},
        measured=f"{odds.label} before and after a rank-one edit of MLP {layer}",
        sign="positive: the model prefers the new answer",
        facts={"layer": str(layer)},
        **labels,
    )


def _odds(metric: Metric) -> Metric:
    """log p(new) − log p(old): the question turned round."""
    assert metric.contrasts is not None
    return replace(
        metric, targets=metric.contrasts, contrasts=metric.targets, scale="logprob",
        target_labels=metric.contrast_labels or metric.target_labels, contrast_labels=metric.target_labels,
    )  # fmt: skip


def _asked_of(model: HookedModel, question: Metric, prompts: Prompts) -> Metric:
    """The same question of other prompts."""
    positions = None if model.pools else prompts.answer_positions(model)
    return replace(question.select([0] * len(prompts)), positions=positions)


def _log_odds(model: HookedModel, prompts: Prompts, question: Metric, edits: Sequence[Edit]) -> np.ndarray:
    with torch.no_grad():
        return question.of_rows(model.run(prompts, edits=edits, answer=question).logits).double().cpu().numpy()


def _searched(
    model: HookedModel, prompt: Prompts, question: Metric, layer: int, pos: int, options: RankOneEditOptions
) -> tuple[np.ndarray, Tensor]:
    """The key at the subject, and the change of its value after which the model gives the new answer."""
    sites = [Site("mlp_post", layer), Site("mlp_out", layer), Site("resid_pre", layer)]
    with torch.no_grad():
        trace = model.run(prompt, record=sites, answer=question)
    key, value = (trace[site][0, pos].detach() for site in sites[:2])
    size, new = float(value.norm()), replace(question, contrasts=None, contrast_labels=None)
    if not np.isfinite(size):  # no step leads anywhere; the result says so
        return key.double().cpu().numpy(), torch.full_like(value, torch.nan)
    wide = torch.promote_types(value.dtype, torch.float32)  # Adam divides by roots that float16 does not hold
    change = torch.zeros_like(value, dtype=wide).requires_grad_()
    optimizer = torch.optim.Adam([change], lr=options.rate * size / len(value) ** 0.5)
    for _ in range(options.steps):
        with torch.enable_grad():
            edit = Edit.add(sites[1], change.to(value.dtype), pos=pos)
            logits = model.run(prompt, edits=[edit], answer=new, start=(layer, trace[sites[2]])).logits
            loss = -new.of_rows(logits).sum()
        if loss.item() < -np.log(SURE):
            break
        (change.grad,) = torch.autograd.grad(loss, [change])
        optimizer.step()
        with torch.no_grad():
            change *= min(1.0, LARGEST * size / max(float(change.norm()), torch.finfo(change.dtype).tiny))
    return key.double().cpu().numpy(), change.detach()
