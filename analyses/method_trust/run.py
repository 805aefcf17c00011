"""Which methods can be trusted when: on models of known truth, and on a real one.

`python -m analyses.method_trust.run`
"""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

import interp
from analyses.reporting import fill, markdown, progress, share
from interp import circuits, groundtruth, readout, tasks
from interp.circuits import EdgeExecutor
from interp.core.intervals import bootstrap_mean
from interp.core.ranking import rank_correlation
from interp.engines import find
from interp.kinds import Scorecard

README = Path(__file__).with_name("README.md")
FAMILIES = ("rasp", "siit", "programs")
REMOVED = ("eap", "eap-ig", "attribution-patching", "activation-patching")
HOWS = ("resample", "mean", "zero")
NODES = ("attribution-patching", "relp", "direct-logit-attribution")
EDGES = ("eap", "eap-ig", "relp-edges")
# AUROC on InterpBench: Mueller et al. 2025 (MIB), table of circuit localisation.
PUBLISHED = {"eap": 0.73, "eap-ig": 0.71, "flow-routes": 0.71, "random edges": 0.44}


def main(arguments: Sequence[str] | None = None) -> None:
    """Score what has to be scored anew, and write the tables of the README."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m", help="the real one; default: %(default)s")
    parser.add_argument("--n", type=int, default=4, help="IOI pairs on it; default: %(default)s")
    parser.add_argument("--edges", type=int, default=200, help="edges patched on it; default: %(default)s")
    options = parser.parse_args(arguments)
    card = groundtruth.scores()
    fill(README, "families", _by_family(card))
    fill(README, "published", _beside_published(card))
    methods = [method if how == "resample" else f"{method}:how={how}" for method in REMOVED for how in HOWS]
    with progress("ablations"):
        known: Any = groundtruth.collection(*groundtruth.names("rasp"), *groundtruth.names("siit"))
        removed = groundtruth.scorecard(known, methods=tuple(methods), draws=1)
    fill(README, "removal", _by_removal(removed))
    model = interp.load(options.model)
    pairs = tasks.ioi(model, n=options.n)
    fill(README, "nodes", _nodes(model, pairs))
    fill(README, "edges", _edges(model, pairs, options.edges))


def _mean(values: np.ndarray) -> str:
    """The mean over models or prompts with its interval."""
    own = values[~np.isnan(values)]
    return share(*(float(each[0]) for each in bootstrap_mean(own[:, None]))) if len(own) > 1 else "–"


def _of(card: Scorecard, method: str, family: str, measure: str = "auc") -> np.ndarray:
    data = card.data
    rows = [str(model).partition("/")[0] == family for model in data["model"].values]
    return data[measure].values[np.array(rows), list(data["method"].values).index(method)]


def _by_family(card: Scorecard) -> str:
    """AUC of every method, family by family."""
    data = card.data
    order = np.lexsort((-np.nan_to_num(data["overall_auc"].values), data["finds"].values))
    rows = [
        [str(data["finds"].values[at]), f"`{name}`", *(_mean(_of(card, name, family)) for family in FAMILIES)]
        for at, name in ((at, str(data["method"].values[at])) for at in order)
    ]
    return markdown(["finds", "method", *(f"`{family}/`" for family in FAMILIES)], rows)


def _beside_published(card: Scorecard) -> str:
    """Our AUC on trained models of known truth beside that of MIB's table on InterpBench."""
    rows = [[f"`{name}`", f"{auc:.2f}", _mean(_of(card, name, "siit"))] for name, auc in PUBLISHED.items()]
    return markdown(["method", "InterpBench, MIB", "`siit/`"], rows)


def _by_removal(card: Scorecard) -> str:
    """AUC by what stands in the place of what is taken out; true is what changes a logit when resampled."""
    names = [str(name) for name in card.data["method"].values]
    rows = []
    for method in REMOVED:
        labels = [method if how == "resample" else f"{method}:how={how}" for how in HOWS]
        cells = [[_mean(_of(card, label, family)) for label in labels if label in names] for family in ("rasp", "siit")]
        rows += [[f"`{method}`", f"`{family}/`", *cell] for family, cell in zip(("rasp", "siit"), cells, strict=True)]
    return markdown(["method", "models", *HOWS], rows)


def _agreement(scores: np.ndarray, effects: np.ndarray) -> float:
    """Spearman's correlation of the sizes."""
    return float(rank_correlation(abs(np.stack([scores, effects])))[0, 1])


def _correlations(scores: Iterator[tuple[str, np.ndarray]], truth: Float[np.ndarray, "batch candidate"]) -> str:
    rows = []
    for name, values in scores:
        each = np.array([_agreement(one, true) for one, true in zip(values, truth, strict=True)])
        both = _agreement(values.mean(0), truth.mean(0))
        rows.append([f"`{name}`", _mean(each), f"{both:.2f}"])
    return markdown(["method", "a prompt's own", "of the means"], rows)


def _nodes(model: interp.HookedModel, pairs: interp.PromptPairs) -> str:
    """Rank correlation of head scores with what resampling each head does."""
    truth = circuits.activation_patching(model, pairs, site="z").values("effect").values

    def scores() -> Iterator[tuple[str, np.ndarray]]:
        for name in NODES:
            if name == "direct-logit-attribution":
                parts = readout.direct_logit_attribution(model, pairs.clean).data
                heads = parts.isel(component=np.flatnonzero(parts["head"].values >= 0))
                result = heads["contribution"]
            else:
                result = find(name)(model, pairs, site="z").values("effect")
            yield name, result.values.reshape(len(pairs), -1)

    return _correlations(scores(), truth.reshape(len(pairs), -1))


def _edges(model: interp.HookedModel, pairs: interp.PromptPairs, count: int) -> str:
    """Rank correlation of edge scores with what resampling each edge does, over the strongest of any and others."""
    results = {name: find(name)(model, pairs).data for name in EDGES}
    results = {name: data.set_index(edge=["sender", "receiver"]) for name, data in results.items()}
    means = {name: abs(data["score"].mean("batch").values) for name, data in results.items()}
    strongest = {int(at) for values in means.values() for at in np.argsort(-values)[: count // (2 * len(EDGES))]}
    others = np.random.default_rng(0).choice(len(means["eap"]), count - len(strongest), replace=False)
    chosen = sorted({*strongest, *map(int, others)})
    ends = [next(iter(results.values()))["edge"].values[at] for at in chosen]
    metric = pairs.clean.metric
    assert metric is not None
    executor = EdgeExecutor(model, pairs, metric)
    graph, effects = executor.graph, []
    with progress("edges"), torch.no_grad():
        clean = metric.of_rows(executor.clean_logits)
        for sender, receiver in ends:
            mask = graph.present[None].astype(float)
            mask[0, graph.sender(sender), graph.receiver(receiver)] = 0
            effects.append((metric.of_rows(executor.run(mask).logits[0]) - clean).cpu().numpy())
    truth = np.stack(effects, 1)
    return _correlations(((name, results[name]["score"].values[:, chosen]) for name in EDGES), truth)


if __name__ == "__main__":
    main()
