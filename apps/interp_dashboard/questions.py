"""What the pages ask of the model: each piece of work, the fields of the view it depends on, and its Python."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interp import circuits, evaluation, readout
from interp.circuits.ablation import ablation_edits
from interp.core.nodes import parse_node
from interp.core.prompts import PromptPairs, Prompts
from interp.core.result import Result
from interp.models.hooked import HookedModel
from interp_dashboard.methods import METHODS, QUICK, chosen, passes, removals
from interp_dashboard.state import QUESTION, View

PATCH_BATCH = 256  # tokens in one forward of a patching run: short steps, so that quick work gets in between


@dataclass(frozen=True)
class Question:
    """One run of an engine. `uses` are the fields of the view that it depends on; it is handed no others."""

    name: str
    label: str
    uses: tuple[str, ...]
    run: Callable[[HookedModel, View], Any]
    python: Callable[[View], str]
    quick: bool = True
    runs: Callable[[HookedModel, int], int] = lambda model, tokens: 1  # forward passes, whether to wait for a click


@dataclass(frozen=True)
class Answer:
    """What the model says to the clean and to the corrupted prompt, unedited."""

    tokens: tuple[str, ...]
    corrupted_tokens: tuple[str, ...]
    position: int
    label: str
    unit: str
    values: tuple[float, ...]
    tops: tuple[list[tuple[str, float]], ...]


def prompts_of(model: HookedModel, view: View) -> Prompts | PromptPairs:
    """The view's prompts with its question attached. Raises: PromptError, TargetError."""
    target, contrast = view.answer, view.contrast or None
    if not view.corrupted:
        return Prompts.of(model, view.clean, target=target, contrast=contrast)
    return PromptPairs.of(model, view.clean, view.corrupted, target=target, contrast=contrast)


def _answer(model: HookedModel, view: View) -> Answer:
    prompts = prompts_of(model, view)
    pair = prompts if isinstance(prompts, PromptPairs) else None
    sides = [pair.clean, pair.corrupted] if pair else [prompts]
    metric = prompts.metric
    assert metric is not None
    rows = [model.run(side, answer=metric).logits for side in sides]  # pyright: ignore[reportArgumentType]
    return Answer(
        tokens=sides[0].labels[0],  # pyright: ignore[reportAttributeAccessIssue]
        corrupted_tokens=pair.corrupted.labels[0] if pair else (),
        position=metric.positions[0] if metric.positions else 0,
        label=metric.label,
        unit=metric.unit,
        values=tuple(metric.of_rows(row).item() for row in rows),
        tops=tuple(top_tokens(model, row[0]) for row in rows),
    )


def top_tokens(model: HookedModel, logits: Any, count: int = 10) -> list[tuple[str, float]]:
    """The likeliest tokens (or classes) with their probabilities."""
    prob, token = logits.softmax(-1).topk(min(count, len(logits)))
    name = model.class_names.__getitem__ if model.is_classifier else model.token_label
    return [(name(t), p) for t, p in zip(token.tolist(), prob.tolist(), strict=True)]


def _asked(view: View) -> dict[str, Any]:
    return {"target": view.answer, "contrast": view.contrast or None}


def _patching(site: str, how: str) -> Callable[[HookedModel, View], Result]:
    def run(model: HookedModel, view: View) -> Result:
        return circuits.activation_patching(
            model, prompts_of(model, view), site=site, how=how, batch_tokens=PATCH_BATCH
        )

    return run


def _ablation(model: HookedModel, view: View) -> Result:
    return circuits.ablation(model, prompts_of(model, view), nodes=view.nodes, how=view.how)


def _lens(model: HookedModel, view: View) -> Result:
    return readout.logit_lens(model, view.clean, target=view.answer)


def _lens_edited(model: HookedModel, view: View) -> Result:
    prompts = prompts_of(model, view)
    clean = prompts.clean
    source = prompts.corrupted if isinstance(prompts, PromptPairs) and view.how == "resample" else clean
    edits = ablation_edits(model, source, [parse_node(text) for text in view.nodes], view.how)  # pyright: ignore[reportArgumentType]
    with model.edited(edits):
        return readout.logit_lens(model, clean)


# Python that gives the same result


def call(function: str, *arguments: str) -> str:
    """A call of the library on the loaded model."""
    inner = "".join(f"    {argument},\n" for argument in arguments if argument)
    return f"result = interp.{function}(\n    model,\n{inner})\n"


def _load(model: str) -> str:
    return f"import interp\nmodel = interp.load({literal(model)})\n"


def text_arguments(view: View, *, pair: bool = True, contrast: bool = True) -> list[str]:
    """The view's question as arguments of a call."""
    lines = [literal(view.clean)]
    if pair and view.corrupted:
        lines.append(f"corrupted={literal(view.corrupted)}")
    lines.append(f"target={literal(view.answer)}")
    if contrast and view.contrast:
        lines.append(f"contrast={literal(view.contrast)}")
    return lines


def _python_patching(site: str, how: str) -> Callable[[View], str]:
    return lambda view: call(
        "circuits.activation_patching", *text_arguments(view), f"site={literal(site)}", f"how={literal(how)}"
    )


def literal(value: Any) -> str:
    """A Python string in double quotes, or a number."""
    return json.dumps(value, ensure_ascii=False)


def _python_ablation(view: View) -> str:
    return call("circuits.ablation", *text_arguments(view), f"nodes={list(view.nodes)}", f"how={literal(view.how)}")


def _python_lens_edited(view: View) -> str:
    source = view.corrupted if view.how == "resample" else view.clean
    return (
        "from interp.circuits.ablation import ablation_edits\n"
        "from interp.core.nodes import parse_node\n"
        f"clean = interp.Prompts.of(model, {literal(view.clean)}, target={literal(view.answer)})\n"
        f"source = interp.Prompts.of(model, {literal(source)})\n"
        f"nodes = [parse_node(node) for node in {list(view.nodes)}]\n"
        f"edits = ablation_edits(model, source, nodes, {literal(view.how)})\n"
        "with model.edited(edits):\n"
        "    result = interp.readout.logit_lens(model, clean)\n"
    )


def _heads(model: HookedModel, tokens: int) -> int:
    return model.dims.layers * model.dims.heads


ANSWER = Question(
    "answer",
    "reading the answer",
    QUESTION,
    _answer,
    lambda view: call("circuits.ablation", *text_arguments(view, pair=False)),
)


def _layers(model: HookedModel, tokens: int) -> int:
    return model.dims.layers


def _patch(label: str, site: str, how: str, runs: Callable[[HookedModel, int], int]) -> Question:
    return Question(f"{how} {site}", label, QUESTION, _patching(site, how), _python_patching(site, how), False, runs)


RESAMPLE = _patch("resampling every head", "z", "resample", _heads)
ZERO = _patch("zeroing every head", "z", "zero", _heads)
RESAMPLE_MLPS = _patch("resampling every MLP", "mlp_out", "resample", _layers)
ZERO_MLPS = _patch("zeroing every MLP", "mlp_out", "zero", _layers)
DIRECT = Question(
    "direct",
    "splitting the logits",
    ("clean", "answer", "contrast"),
    lambda model, view: readout.direct_logit_attribution(model, view.clean, **_asked(view)),
    lambda view: call("readout.direct_logit_attribution", *text_arguments(view, pair=False)),
)
SCORES = Question(
    "scores",
    "scoring every head",
    (),
    lambda model, view: readout.head_scores(model),
    lambda view: "result = interp.readout.head_scores(model)\n",
)
ATTENTION = Question(
    "attention",
    "recording attention",
    ("clean",),
    lambda model, view: readout.attention(model, view.clean),
    lambda view: call("readout.attention", literal(view.clean)),
)
LAYER_ATTENTION = Question(
    "layer attention",
    "recording attention",
    ("clean", "layer"),
    lambda model, view: readout.attention(model, view.clean, layers=(view.layer,)),
    lambda view: call("readout.attention", literal(view.clean), f"layers=({view.layer},)"),
)
LENS = Question(
    "lens",
    "reading every layer",
    ("clean", "answer"),
    _lens,
    lambda view: call("readout.logit_lens", *text_arguments(view, pair=False, contrast=False)),
)
QUERY_KEY = Question(
    "query key",
    "splitting the attention score",
    ("clean", "layer", "head", "query"),
    lambda model, view: readout.query_key(
        model, view.clean, layer=view.layer, head=view.head, query_pos=-1 if view.query is None else view.query
    ),
    lambda view: call(
        "readout.query_key",
        literal(view.clean),
        f"layer={view.layer}",
        f"head={view.head}",
        f"query_pos={-1 if view.query is None else view.query}",
    ),
)
ABLATION = Question("ablation", "running with the edits", (*QUESTION, "nodes", "how"), _ablation, _python_ablation)
LENS_EDITED = Question(
    "edited lens", "reading every layer with the edits", (*QUESTION, "nodes", "how"), _lens_edited, _python_lens_edited
)


def _method(name: str) -> Question:
    return Question(
        f"relevance {name}",
        f"computing {name}",
        ("clean", "answer", "contrast"),
        lambda model, view: METHODS[name](model, view.clean, **_asked(view)),
        lambda view: call(f"attribution.{name.replace('-', '_')}", *text_arguments(view, pair=False)),
        quick=name in QUICK,
        runs=lambda model, tokens: passes(name, tokens),
    )


def _python_compared(view: View) -> str:
    names = chosen(view)
    calls = "".join(f"    interp.attribution.{name.replace('-', '_')}(model, **asked),\n" for name in names)
    asked = f"asked = {{'prompts': {literal(view.clean)}, 'target': {literal(view.answer)}"
    asked += f", 'contrast': {literal(view.contrast)}}}\n" if view.contrast else "}\n"
    draw = "figure = interp.views.compare_relevance(results)\n" if len(names) > 1 else ""
    return f"{asked}results = [\n{calls}]\n{draw}"


def _deletion(name: str) -> Question:
    return Question(
        f"deletion {name}",
        "removing tokens",
        ("clean", "answer", "contrast"),
        lambda model, view: evaluation.faithfulness(model, view.clean, **_asked(view), methods=(name,)),
        lambda view: call("evaluation.faithfulness", *text_arguments(view, pair=False), f"methods=({literal(name)},)"),
        quick=False,
        runs=lambda model, tokens: removals(name, tokens),
    )


RELEVANCE = {name: _method(name) for name in METHODS}
DELETION = {name: _deletion(name) for name in METHODS}
COMPARED = Question(
    "compared methods",
    "comparing methods",
    ("clean", "answer", "contrast", "methods"),
    lambda model, view: chosen(view),
    _python_compared,
)


def snippet(question: Question, model: HookedModel, view: View) -> str:
    """Python that gives the same result through the library."""
    return _load(model.name) + question.python(view.only(question.uses))
