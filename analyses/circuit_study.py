"""Shared by the studies of a behaviour's circuit: the measurements, each saved once done, and the tables."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

import interp
from analyses.keeping import load_or_make
from analyses.reporting import fill, markdown, photograph, share, write_page
from interp import views
from interp.core.intervals import bootstrap_mean
from interp.core.prompts import PromptPairs
from interp.kinds import CircuitEvidence, EdgeScores, Effects
from interp.models import HookedModel

Places = Sequence[tuple[int, int]]  # of every prompt: the query's position and the key's


def parser(description: str | None, here: Path) -> argparse.ArgumentParser:
    """The arguments of a study whose folder is `here`."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--model", default="smollm2-135m", help="packaged name, Hugging Face id or folder")
    parser.add_argument("--n", type=int, default=16, help="prompt pairs")
    parser.add_argument("--seed", type=int, default=0, help="seed of the prompts")
    parser.add_argument("--edges", type=int, default=1000, help="edges of the circuit whose evidence is measured")
    parser.add_argument("--out", type=Path, default=Path("results") / here.name, help="folder of results and pages")
    parser.add_argument("--readme", type=Path, default=here / "README.md", help="document that takes the tables")
    parser.add_argument("--pictures", action="store_true", help="take pictures of the figures with Chromium")
    return parser


class Measurements(NamedTuple):
    """The measurements of one behaviour."""

    effects: Effects
    mlps: Effects
    direct: EdgeScores
    scores: EdgeScores
    evidence: CircuitEvidence


def measure(model: HookedModel, pairs: PromptPairs, folder: Path, *, edges: int) -> Measurements:
    """Effects of every head and MLP, scores of every edge, and evidence for the circuit of the strongest `edges`."""

    def measurement(name: str, kind, make):
        return load_or_make(folder / f"{name}.nc", kind, model, pairs, make)

    effects = measurement("effects", Effects, lambda: interp.circuits.activation_patching(model, pairs))
    mlps = measurement("mlps", Effects, lambda: interp.circuits.activation_patching(model, pairs, site="mlp_out"))
    direct = measurement("direct", EdgeScores, lambda: interp.circuits.path_patching(model, pairs))
    scores = measurement("scores", EdgeScores, lambda: interp.circuits.eap_ig(model, pairs))
    interp.Circuit.of(scores, edges=edges).save(folder / "circuit.json")
    scores_path = scores.save(folder / "scores")
    evidence = measurement(
        "evidence",
        CircuitEvidence,
        lambda: interp.circuits.circuit_evidence(model, pairs, circuit=str(scores_path), size=edges),
    )
    return Measurements(effects, mlps, direct, scores, evidence)


def into(model: HookedModel, pairs: PromptPairs, folder: Path, name: str, receivers: Sequence[str]) -> EdgeScores:
    """The effect of each head and MLP on the answer through these receivers alone, together."""
    return load_or_make(
        folder / f"into-{name}.nc",
        EdgeScores,
        model,
        pairs,
        lambda: interp.circuits.path_patching(model, pairs, receivers=tuple(receivers), together=True),
    )


def attention_at(model: HookedModel, pairs: PromptPairs, places: Mapping[str, Places]) -> pd.DataFrame:
    """Mean attention of every head between named places; rows `layer`, `head`."""
    attention = interp.readout.attention(model, pairs.clean)
    values = attention.values("attention").values
    columns = {}
    for name, ends in places.items():
        weights = np.stack([values[row, :, :, query, key] for row, (query, key) in enumerate(ends)])
        columns[name] = weights.mean(0).ravel()
    layers, heads = values.shape[1:3]
    index = pd.MultiIndex.from_product([range(layers), range(heads)], names=["layer", "head"])
    return pd.DataFrame(columns, index=index)


def head_scores(model: HookedModel) -> pd.DataFrame:
    """How much every head attends to the previous and to the induction position on repeated random tokens."""
    scores = interp.readout.head_scores(model)
    means: Any = scores.data[["previous_token", "induction"]].mean("batch").to_dataframe()
    return means[["previous_token", "induction"]]


def head_effects(effects: Effects) -> pd.DataFrame:
    """Mean effect of every head with its interval; rows `layer`, `head`."""
    frame: Any = effects.summary().set_index(["layer", "head"])
    return frame[["effect", "effect_low", "effect_high"]]


def edge_effects(scores: EdgeScores, model: HookedModel) -> pd.DataFrame:
    """Mean score of each head's edges into the receivers, with its interval; rows `layer`, `head`."""
    frame: Any = scores.summary()
    frame = frame[frame["sender"].str.startswith("a")]
    ends = frame["sender"].str[1:].str.split(".", expand=True).astype(int)
    frame.index = pd.MultiIndex.from_arrays([ends[0], ends[1]], names=["layer", "head"])
    every = pd.MultiIndex.from_product([range(model.dims.layers), range(model.dims.heads)], names=["layer", "head"])
    return frame[["score", "score_low", "score_high"]].reindex(every)


def clear(frame: Any, name: str, least: float) -> pd.DataFrame:
    """The heads whose interval excludes zero and whose mean is at least `least` in magnitude, the largest first."""
    is_clear = (frame[f"{name}_low"] > 0) | (frame[f"{name}_high"] < 0)
    heads = frame[is_clear & (frame[name].abs() >= least)]
    return heads.reindex(heads[name].abs().sort_values(ascending=False).index)


def head_name(index: tuple[int, int]) -> str:
    """A head as `layer.head`."""
    return f"{index[0]}.{index[1]}"


def gap(model: HookedModel, pairs: PromptPairs) -> tuple[Float[np.ndarray, "end"], Float[np.ndarray, "end"]]:
    """The metric on clean and on corrupted prompts: mean, low and high of each."""
    assert pairs.metric is not None
    ends = []
    for prompts in (pairs.clean, pairs.corrupted):
        logits = model.run(prompts, answer=pairs.metric).logits
        ends.append(np.array(bootstrap_mean(pairs.metric.of_rows(logits).numpy())))
    return ends[0], ends[1]


def accuracy(model: HookedModel, pairs: PromptPairs) -> str:
    """How often the clean answer is right."""
    assert pairs.metric is not None
    values = pairs.metric.of_rows(model.run(pairs.clean, answer=pairs.metric).logits)
    return f"{int((values > 0).sum())} of {len(values)}"


def evidence_table(evidence: CircuitEvidence) -> str:
    """The claims about the circuit as a whole, each with its interval where it has one."""
    data = evidence.data
    number = lambda name: float(data[name])  # noqa: E731
    ends = lambda name: share(number(name), *data[f"{name}_interval"].values.tolist())  # noqa: E731
    rows = [
        ["edges left after pruning", f"{number('edges'):,.0f}"],
        ["faithfulness", f"{ends('faithfulness')}; random circuits of the size {number('random_faithfulness'):.2f}"],
        ["incompleteness: mean distance from the model when both lose the same nodes", ends("incompleteness")],
        ["CPR, the area under the curve by signed score", f"{number('cpr'):.2f}; random {number('random_cpr'):.2f}"],
        ["CMD, the area between the curve by |score| and 1", f"{number('cmd'):.2f}; random {number('random_cmd'):.2f}"],
        ["rank correlation of scores with truly patched edges", f"{number('rank_correlation'):.2f}"],
        ["linearisation error of the scores", f"{number('linearisation_error'):.2f}"],
    ]
    return markdown(["measure", "value"], rows)


def curve_table(evidence: CircuitEvidence) -> str:
    """Faithfulness at growing numbers of edges, with that of random circuits."""
    data = evidence.data
    rows = []
    for index in range(data.sizes["budget"]):
        at = data.isel(budget=index)
        random = at["random_curve"].values
        rows.append(
            [
                f"{int(at['nominal']):,}",
                f"{int(at['pruned']):,}",
                share(float(at["curve"]), *at["curve_interval"].values.tolist()),
                f"{random.min():.2f} to {random.max():.2f}",
            ]
        )
    return markdown(["edges asked for", "left after pruning", "faithfulness", "random circuits"], rows)


def report(
    measurements: Measurements, parts: Sequence[str], options: argparse.Namespace, folder: Path, here: Path
) -> None:
    """Fill the study's README with its own parts and the circuit's evidence, and write the figures."""
    text = [
        *parts,
        f"**The circuit of the {options.edges:,} strongest edges by EAP-IG**",
        evidence_table(measurements.evidence),
        "**How many edges are needed?**",
        curve_table(measurements.evidence),
    ]
    fill(options.readme, "tables", "\n\n".join(text))
    for name, result in (("heads", measurements.effects), ("evidence", measurements.evidence)):
        page = write_page(views.figure(result), folder / f"{name}.html")
        if options.pictures:
            photograph(page, here / f"{name}.png")
