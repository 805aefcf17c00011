"""The numbers of a figure as a tidy table: of the same result, with the same choice."""

from collections.abc import Mapping
from functools import singledispatch
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd

from interp.core.errors import OptionError
from interp.core.result import Result
from interp.kinds import (
    Contributions,
    Faithfulness,
    FeatureAblation,
    FeatureActivations,
    FeatureEffects,
    HeadCards,
    HeadComposition,
    HeadScores,
    LayerReadout,
    LayerRemoval,
    LearningCurves,
    Patterns,
    PositionalVariance,
    QKSplit,
    Relevance,
)
from interp.views.choosing import choose_row, places
from interp.views.feature_activations import strongest
from interp.views.figures import choices, view
from interp.views.grid import head_grid
from interp.views.layers import some_of
from interp.views.relevance import grouped
from interp.views.steps import part_at_step
from interp.views.training import curves_of

COLUMNS = {"prompt": ("batch",), "pos": ("pos", "key_pos")}  # what a choice is called in a table, where not by its name


def table_at_step(result: Result, *, step: int, **choice: Any) -> pd.DataFrame:
    """The table of a result over steps, as it is at one of them. Raises: ResultError for a step that it lacks."""
    return table(part_at_step(result, step), **choice)


def table(results: Result | Mapping[str, Result], **choice: Any) -> pd.DataFrame:
    """What `figure` draws with the same `choice`, a row a cell; of several results under their names in `result`.

    Raises: OptionError for a choice that the view does not have; ResultError for a part that the result lacks.
    """
    if isinstance(results, Mapping):
        frames = {name: table(result, **choice) for name, result in results.items()}
        return pd.concat(frames, names=["result"]).reset_index("result").reset_index(drop=True)
    names = choices(type(results)) if view.dispatch(type(results)) is not view.dispatch(object) else choice
    for name in choice:
        if name not in names:
            raise OptionError(f"the table of {type(results).__name__} has no choice {name!r}; leave it out")
    usual = signature(view.dispatch(type(results))).parameters.get("show")
    default = {"show": usual.default} if usual is not None else {}
    return rows(results, **(default | {name: value for name, value in choice.items() if value is not None}))


@singledispatch
def rows(result: Result, *, show: str | None = None, **choice: Any) -> pd.DataFrame:
    """The rows of one result: its table `show` where it has one, of the layer, head, prompt, … that is shown."""
    return _plain(result, show=show, **choice)


def _plain(result: Result, *, show: str | None = None, **choice: Any) -> Any:
    frame: Any = result.to_frame(show if show in result.tables else None)
    for name, value in choice.items():
        column = next((column for column in COLUMNS.get(name, (name,)) if column in frame), None)
        if column is not None and value is not None:
            frame = frame[frame[column] == value]
    return frame.reset_index(drop=True)


def head_table(result: Result, *, score: str | None = None, prompt: int | None = None) -> pd.DataFrame:
    """One number of each head, as `head_grid` gives them, with its interval where there is one."""
    grid = head_grid(result, score=score, prompt=prompt)
    at = pd.MultiIndex.from_product([grid.layers, grid.heads], names=["layer", "head"])
    columns = {grid.name.replace(" ", "_"): grid.values.ravel()}
    if grid.low is not None and grid.high is not None:
        columns |= {"low": grid.low.ravel(), "high": grid.high.ravel()}
    return pd.DataFrame(columns, index=at).reset_index()


@rows.register
def _scores(result: HeadScores, *, score: str | None = None, prompt: int | None = None) -> pd.DataFrame:
    return head_table(result, score=score, prompt=prompt)


@rows.register(Contributions)
@rows.register(QKSplit)
def _heads(result: Contributions | QKSplit, *, show: str, prompt: int | None = None, **choice: Any) -> pd.DataFrame:
    if show in ("heads", "balance") and not (show == "heads" and isinstance(result, QKSplit)):
        return head_table(result, prompt=prompt)
    choice.pop("top", None)
    return _plain(result, show=show, prompt=prompt, **choice)


@rows.register
def _relevance(result: Relevance, *, show: str, prompt: int | None = None, **choice: Any) -> pd.DataFrame:
    if show == "heads":
        return head_table(result, prompt=prompt)
    if show == "ledger":
        row = choose_row(result, "batch", prompt)
        entries = grouped(result, row, choice.get("by", "term"))
        entries.append(("target", float(result.values("total").values[row])))
        return pd.DataFrame(entries, columns=[choice.get("by", "term"), "ledger"])
    return _plain(result, show=show, prompt=prompt, **choice)


@rows.register
def _patterns(result: Patterns, *, show: str, **choice: Any) -> pd.DataFrame:
    choice.pop("query", None)
    return _plain(result, **choice)


@rows.register
def _learning(result: LearningCurves, *, show: str, marked: int | None = None) -> pd.DataFrame:
    """Every curve that is drawn, a step a row."""
    steps, curves = curves_of(result, show)
    frames = [pd.DataFrame({"curve": line.name, "step": steps, "value": line.values}) for line in curves]
    return pd.concat(frames or [pd.DataFrame({"curve": [], "step": [], "value": []})], ignore_index=True)


@rows.register
def _card(result: HeadCards, *, show: str, layer: int | None = None, head: int | None = None) -> pd.DataFrame:
    """One head's card as it is drawn: tokens it attends to and from, distances and places, with what is expected."""
    if show != "card":
        return _plain(result, show=show, layer=layer, head=head)
    at = {"layer": choose_row(result, "layer", layer), "head": choose_row(result, "head", head)}
    card = result.card(*(int(result.data[axis].values[row]) for axis, row in at.items()))
    parts = {
        "looks at": [(row["key_token"], row["key_share"], row["key_uniform"]) for row in card["keys"]],
        "looks from": [(row["query_token"], row["query_share"], row["query_frequency"]) for row in card["queries"]],
        "distance": [(row["distance"], row["at_distance"], row["at_distance_uniform"]) for row in card["distances"]],
        "place": [(row["text"], row["attention"], np.nan) for row in card["contexts"]],
    }
    frames = [
        pd.DataFrame(part, columns=["what", "share", "expected"]).assign(part=name, rank=range(len(part)))
        for name, part in parts.items()
    ]
    columns = ["part", "rank", "what", "share", "expected"]
    return pd.concat(frames, ignore_index=True).reindex(columns=columns)


@rows.register
def _removal(result: LayerRemoval, *, show: str | None = None) -> pd.DataFrame:
    """Every order, and of the random ones mean and span."""
    random = result.values("random_loss").values
    span = {"loss": random.mean(0), "loss_low": random.min(0), "loss_high": random.max(0)}
    counts = result.data["count"].values
    return pd.concat([_plain(result), pd.DataFrame({"order": "random", "count": counts} | span)], ignore_index=True)


@rows.register
def _readout(result: LayerReadout, *, show: str | None, **choice: Any) -> pd.DataFrame:
    """Probabilities, where probabilities are drawn."""
    frame = _plain(result, **choice)
    return with_probabilities(frame) if show == "top_prob" else frame


def with_probabilities(frame: pd.DataFrame) -> pd.DataFrame:
    """A readout's rows with probabilities in place of log-probabilities."""
    names = {name: name.replace("logprob", "prob") for name in frame if "logprob" in name}
    return frame.assign(**{name: np.exp(frame[name]) for name in names}).rename(columns=names)


@rows.register
def _activations(result: FeatureActivations, *, prompt: int | None = None) -> pd.DataFrame:
    """The features that are drawn, at every position where they are told."""
    row = choose_row(result, "batch", prompt)
    names, _ = strongest(result, row, places(result, "pos", row).at)
    frame = _plain(result, prompt=prompt)
    return frame[frame["feature"].isin(names)].reset_index(drop=True)


@rows.register
def _effects(result: FeatureEffects, *, show: str, prompt: int | None = None) -> pd.DataFrame:
    if show != "features":
        return _plain(result, show=show, prompt=prompt)
    totals = result.data.isel(batch=choose_row(result, "batch", prompt))
    more = {"node": ["other features", "error"], "effect": [float(totals["rest"]), float(totals["error"])]}
    frame = _plain(result, prompt=prompt)
    return pd.concat([frame, pd.DataFrame(more)], ignore_index=True)


@rows.register
def _feature_ablation(result: FeatureAblation, *, show: str, prompt: int | None = None) -> pd.DataFrame:
    """The feature's own effect before those of its controls."""
    frame = _plain(result, show=show, prompt=prompt)
    if show != "control":
        return frame
    own = result.data.isel(batch=choose_row(result, "batch", prompt))
    first = {"draw": -1, "control": float(own["effect"]), "control_feature": str(own["feature"].item()),
             "control_density": float(own["density"]), "control_active": float(own["activation"]) > 0}  # fmt: skip
    both = pd.concat([pd.DataFrame([first]), frame[frame["control_feature"] != ""]], ignore_index=True)
    both = both.rename(
        columns={"control": "effect"} | {f"control_{name}": name for name in ("feature", "density", "active")}
    )
    return both.assign(control=both["draw"] >= 0).drop(columns="draw")


@rows.register
def _composition(result: HeadComposition, *, show: str, composition: str | None = None, top: int = 24) -> pd.DataFrame:
    frame = _plain(result, show=show)
    receiver = "channel_receiver" if show == "channels" else "receiver"
    kind = composition or ("q" if show == "matrix" else "")
    frame = frame[frame[receiver].str.startswith(kind)].reset_index(drop=True)
    return frame.head(top) if show == "channels" else frame


@rows.register
def _variance(result: PositionalVariance, *, layer: int | None = None) -> pd.DataFrame:
    """The layers that are drawn."""
    labels = result.data["layer"].values
    some = labels[some_of(len(labels))] if layer is None else [layer]
    frame = _plain(result)
    return frame[frame["layer"].isin(some)].reset_index(drop=True)


@rows.register
def _deletion(result: Faithfulness, *, show: str, method: str | None = None, prompt: int | None = None) -> pd.DataFrame:
    """The method and the control."""
    frame = _plain(result, show=show, prompt=prompt)
    control = str(result.data["method"].values[-1])
    return frame if method is None else frame[frame["method"].isin([method, control])].reset_index(drop=True)
