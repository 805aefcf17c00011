"""Probes with controls: what the stream of every layer tells of a label, and whether the model uses it."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.intervals import bootstrap_mean
from interp.core.labelled import LabelledPrompts
from interp.core.metric import Metric
from interp.core.options import Count
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.core.result import SIGN
from interp.corpus.harvest import States
from interp.corpus.labels import LabelOptions, labelled, labelled_prompts
from interp.kinds import Probes
from interp.models.hooked import HookedModel
from interp.models.untrained import untrained
from interp.probing.causal import Change, Tested
from interp.probing.columns import Column, bag_of_tokens
from interp.probing.fitting import Method, codelength, fit

Offset = Annotated[int, Field(ge=-(10**6), le=10**6)]
_JUDGED = ("accuracy", "shuffled", "by_type", "selectivity", "untrained")


@dataclass(frozen=True)
class ProbeOptions(LabelOptions):
    """Labels, where they are read, which probe, its controls, and the change whose consequences are measured."""

    offsets: tuple[Offset, ...] = Field(
        (0,), min_length=1, max_length=64,
        description="positions that are probed, counted from the labelled token: 0 is itself, -1 the one before",
    )  # fmt: skip
    method: Method = Field(
        "linear",
        description="linear (logistic with a ridge penalty), mean-difference (the nearest class mean), or codelength "
        "(linear, and the bits it takes to send the labels)",
    )
    penalty: float = Field(10.0, ge=1e-6, le=1e9, allow_inf_nan=False, description="weight of the ridge penalty")
    folds: int = Field(5, ge=2, le=100, description="folds that the groups are split into")
    control: Literal["untrained", "none"] = Field(
        "untrained", description="untrained: probe a model with weights as before training too; none: do not"
    )
    change: Change = Field(
        "leace",
        description="what is done to each layer's states to see what the model makes of it: leace (erase the label), "
        "projection (remove the class means' span), add (the last label's mean less the first's), or none",
    )
    changed: Count = Field(16, description="most items that are changed, of groups that the change was not fitted on")


def _obstacle(model: HookedModel) -> str | None:
    return next(filter(None, map(model.edit_obstacle, model.stream_sites())), None)


@engine(obstacle=_obstacle, default_prompts=labelled_prompts)
def probe(model: HookedModel, prompts: Prompts, metric: Metric | None, options: ProbeOptions) -> Probes:
    """What probes of every layer tell of a label on unseen groups, compared with controls, and whether it is used.

    Balanced accuracy of a probe of each layer's stream at each offset from the labelled tokens: `layer pos`. Items of
    one group (a puzzle, a sentence's frame, a prompt) are never in two folds, and intervals resample groups. Controls:
    labels shuffled, labels by token type, an untrained model, the embeddings (layer 0), and the bag of tokens. Then
    the label is erased from (or added to) held-out items at that layer and offset alone: what a probe of the last
    stream, fitted on the other folds, still tells, and how far the answer moves, beside as many random directions.
    Unit: fraction; nats for divergences; the metric's for `effect`.
    Raises: PromptError for labels that cannot be read or are all the same; OptionError for prompts without labels and
    `labels` that brings its own.
    Source: Alain & Bengio 2016, "Understanding intermediate layers using linear classifier probes"; Hewitt & Liang
    2019, "Designing and Interpreting Probes with Control Tasks", section 2; Belrose et al. 2023, "LEACE", theorem 4.3.
    Differs: control labels of a type are those of the items, exchanged among types, so that both labels occur; folds
    are whole groups.
    """
    items = labelled(prompts, options)
    columns = [Column.of(items, offset, options.folds, options.seed) for offset in options.offsets]
    places = [place for column in columns for place in column.places]
    states = {"trained": States(model, items, places)}
    if options.control == "untrained":
        states["untrained"] = States(untrained(model, options.seed), items, places)
    sweep = [swept(model, states, column, len(items.classes), options) for column in columns]
    values: dict[str, Any] = {name: np.stack([each[name] for each in sweep], -1) for name in sweep[0]}
    for name in ("direction", "distance"):
        values[name] = np.stack([each[name] for each in sweep], 2)
    for name in [name for name in values if name.endswith("_interval")]:
        values[name] = np.stack([each[name] for each in sweep], -2)
    values |= _bag(model, items, columns, options)
    if options.change != "none":
        values |= _changed(model, items, states["trained"], columns, metric, options)
    return Probes.of(
        items,
        values,
        unit="" if metric is None else metric.unit,
        measured=_measured(items, columns, options),
        sign="" if metric is None else SIGN,
        facts={"chance": f"{1 / len(items.classes):.6f}", "labels": ", ".join(items.classes)},
        pos=np.array(options.offsets),
        target=np.array(_targets(items.classes), dtype=object),
    )


def _targets(classes: tuple[str, ...]) -> tuple[str, ...]:
    """The labels that have a direction: of two, the second."""
    return classes[1:] if len(classes) == 2 else classes


def _measured(items: LabelledPrompts, columns: list[Column], options: ProbeOptions) -> str:
    groups = len({item.group for item in items.items})
    names = ", ".join(items.classes[:4]) + (", …" if len(items.classes) > 4 else "")
    few = "; one group: nothing can be held out" if groups < 2 else ""
    return (
        f"balanced accuracy of {options.method} probes on {len(items.items):,} labelled tokens ({names}) in {groups:,} "
        f"groups (chance {1 / len(items.classes):.2f}{few})"
    )


def swept(
    model: HookedModel, states: dict[str, States], column: Column, classes: int, options: ProbeOptions
) -> dict[str, np.ndarray]:
    """One column: every layer's accuracies with their intervals, codelength and directions."""
    layers, targets = model.dims.layers + 1, 1 if classes == 2 else classes
    names = _JUDGED if "untrained" in states else _JUDGED[:-1]
    values: dict[str, Any] = {name: np.full(layers, np.nan) for name in names}
    values |= {f"{name}_interval": np.full((layers, 2), np.nan) for name in names}
    if options.method == "codelength":
        values["codelength"] = np.full(layers, np.nan)
    values["direction"] = np.zeros((targets, layers, model.dims.d_model))
    values["distance"] = np.full((targets, layers), np.nan)
    if len(np.unique(column.codes)) < 2:
        return values
    for layer in track(range(layers), layers, "probing each layer"):
        here = states["trained"].at(column.places, layer)
        values["direction"][:, layer], values["distance"][:, layer] = _directions(here, column.codes, classes, options)
        if not column.can_be_judged:
            continue
        judged = {
            "accuracy": _judged(here, column.codes, column, options),
            "shuffled": _judged(here, column.shuffled, column, options),
            "by_type": _judged(here, column.by_type, column, options),
        }
        control = judged["shuffled"] if np.isnan(judged["by_type"].accuracy) else judged["by_type"]
        judged["selectivity"] = judged["accuracy"].minus(control)
        if "untrained" in states:
            judged["untrained"] = _judged(states["untrained"].at(column.places, layer), column.codes, column, options)
        for name, each in judged.items():
            values[name][layer], values[f"{name}_interval"][layer] = each.accuracy, each.interval
        if options.method == "codelength":
            values["codelength"][layer] = codelength(
                here, column.codes, column.split.groups, options.penalty, options.seed
            )
    return values


def _judged(states: Any, codes: np.ndarray, column: Column, options: ProbeOptions) -> Any:
    method = "linear" if options.method == "codelength" else options.method
    if len(np.unique(codes)) < 2:
        return column.split.nothing
    return column.split.judged(column.split.predictions(method, states, codes, options.penalty), codes)


def _directions(
    states: np.ndarray, codes: np.ndarray, classes: int, options: ProbeOptions
) -> tuple[np.ndarray, np.ndarray]:
    """A unit vector towards each target label, and how far its states lie along it from the others."""
    means = {code: (states[codes == code].mean(0), states[codes != code].mean(0)) for code in np.unique(codes)}
    targets = [1] if classes == 2 else range(classes)
    directions = np.zeros((len(targets), states.shape[1]))
    if options.method == "mean-difference":
        for at, code in enumerate(targets):
            directions[at] = np.subtract(*means[code]) if code in means else 0
    else:
        pipeline = fit("linear", states, codes, options.penalty)
        weights = pipeline[-1].coef_ / pipeline[0].scale_
        if classes == 2:
            directions[0] = weights[0]
        elif len(weights) == 1:  # two of several labels are there
            first, second = pipeline[-1].classes_
            directions[first], directions[second] = -weights[0], weights[0]
        else:
            directions[pipeline[-1].classes_] = weights
    size = np.linalg.norm(directions, axis=1, keepdims=True)
    directions = np.divide(directions, size, out=np.zeros_like(directions), where=size > 0)
    distance = [
        directions[at] @ np.subtract(*means[code]) if code in means else np.nan for at, code in enumerate(targets)
    ]
    return directions, np.array(distance)


def _bag(
    model: HookedModel, items: LabelledPrompts, columns: list[Column], options: ProbeOptions
) -> dict[str, np.ndarray]:
    """The accuracy of a linear probe of token counts, a column each."""
    values = {
        "bag_of_tokens": np.full(len(columns), np.nan),
        "bag_of_tokens_interval": np.full((len(columns), 2), np.nan),
    }
    for at, column in enumerate(columns):
        if column.can_be_judged:
            counts = bag_of_tokens(items, column.places, causal=model.is_causal)
            said = column.split.predictions("linear", counts, column.codes, options.penalty)
            judged = column.split.judged(said, column.codes)
            values["bag_of_tokens"][at], values["bag_of_tokens_interval"][at] = judged.accuracy, judged.interval
    return values


def _changed(
    model: HookedModel,
    items: LabelledPrompts,
    states: States,
    columns: list[Column],
    metric: Metric | None,
    options: ProbeOptions,
) -> dict[str, np.ndarray]:
    """What the change does, layer by layer and column by column."""
    shape = (model.dims.layers + 1, len(columns))
    names = ("divergence", "random_divergence", *([] if metric is None else ["effect"]))
    values = {name: np.full(shape, np.nan) for name in ("erased_accuracy", *names)}
    values |= {f"{name}_interval": np.full((*shape, 2), np.nan) for name in names}
    for at, column in enumerate(columns):
        if not column.can_be_judged:
            continue
        tested = Tested(model, items, column, metric, options.changed, options.seed)
        for layer, each in enumerate(tested.consequences(states, options.method, options.penalty, options.change)):
            values["erased_accuracy"][layer, at] = each.accuracy
            for name, numbers in zip(names, (each.divergence, each.random, each.effect), strict=False):
                mean, low, high = bootstrap_mean(np.asarray(numbers))
                values[name][layer, at], values[f"{name}_interval"][layer, at] = mean, (low, high)
    return values
