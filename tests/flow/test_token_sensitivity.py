"""Token sensitivity against finite differences in float64, causality, its estimator, and the bound by paths."""

import numpy as np
import pytest
import torch
from asking import pairs_for

import interp
from interp.models import Edit, Site


def finite_differences(model, prompt, function, step=1e-4):
    """The Jacobian of `function` of a run, by differences of the fourth order: `out pos d_model`."""
    with torch.no_grad():
        embed = model.run(prompt, record=[Site("embed")])[Site("embed")]
        columns = []
        for index in range(embed.numel()):
            change = torch.zeros_like(embed).view(-1)
            change[index] = step
            near, far = (
                function(embed + steps * change.view_as(embed)) - function(embed - steps * change.view_as(embed))
                for steps in (1, 2)
            )
            columns.append((8 * near - far) / (12 * step))
    return torch.stack(columns, -1).unflatten(-1, embed.shape[1:])


@pytest.mark.parametrize(
    ("family", "step", "tolerance"),
    [
        ("llama", 1e-4, 5e-3),
        ("gemma3", 1e-4, 5e-3),
        ("gptneox", 1e-4, 5e-4),
        ("gpt2", 1e-5, 1e-6),
        ("bert-masked", 1e-5, 1e-6),
    ],
)
def test_exact(family, step, tolerance, tiny):
    """Of the last state, and of the answer; Hugging Face computes some in float32 whatever the precision."""
    model = tiny(family, "float64")
    prompt = pairs_for(model, family).clean[[1]]
    metric, last = prompt.metric, Site("resid_post", model.dims.layers - 1)
    at = metric.positions[0]

    def state(embedding):
        return model.run(prompt, record=[last], edits=[Edit.through(Site("embed"), lambda _: embedding)])[last][0, at]

    def answer(embedding):
        return metric(model.run(prompt, edits=[Edit.through(Site("embed"), lambda _: embedding)]).logits)

    of_state = interp.flow.token_sensitivity(model, prompt.texts).data["sensitivity"].values[0]
    expected = finite_differences(model, prompt, state, step).square().sum((0, 2)).sqrt()
    np.testing.assert_allclose(of_state, expected, rtol=tolerance)
    of_answer = interp.flow.token_sensitivity(model, prompt).data["sensitivity"].values[0]
    np.testing.assert_allclose(
        of_answer, finite_differences(model, prompt, answer, step).square().sum((0, 2)).sqrt(), rtol=tolerance
    )


def test_later_tokens_count_nothing(tiny):
    model = tiny("llama", "float64")
    prompts = interp.Prompts.of(model, "When Mary and John went to the store", target=" Mary", contrast=" John")
    early = interp.Metric(**{**vars(prompts.metric), "positions": (3,)})
    for data in (interp.flow.token_sensitivity(model, prompts, metric=early).data,):
        assert (data["sensitivity"].values[0, 4:] == 0).all()
        assert (data["sensitivity"].values[0, :4] > 0).all()
        assert (data["control"].values[0, 4:] == 0).all()
        assert np.isnan(data["log_path_bound"].values[0, 4:]).all()


def test_estimate(tiny):
    """The exact value lies within a few standard errors; the control, of as many vectors, tends to the same."""
    model = tiny("llama", "float64")
    text = "When Mary and John went to the store"
    exact = interp.flow.token_sensitivity(model, text).data
    data = interp.flow.token_sensitivity(model, text, estimate=400, draws=400).data
    apart = (data["sensitivity"] - exact["sensitivity"]) / data["standard_error"]
    assert np.abs(apart).max() < 4
    assert (data["standard_error"] / data["sensitivity"]).max() < 0.1
    np.testing.assert_allclose(data["control"], exact["sensitivity"], rtol=0.2)
    assert np.isnan(exact["standard_error"]).all()


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox", "gpt2"])
def test_the_bound_holds_with_frozen_patterns(family, tiny):
    """Measured by a run whose patterns are those of the plain run, whatever its embeddings are."""
    model = tiny(family, "float64")
    prompt = pairs_for(model, family).clean[[1]]
    at, last = prompt.metric.positions[0], Site("resid_post", model.dims.layers - 1)
    with torch.no_grad():
        patterns = model.run(prompt, record=model.sites("pattern"))
    freeze = [Edit.through(site, lambda _, fixed=fixed: fixed) for site, fixed in patterns.items()]

    def state(embedding):
        edits = [*freeze, Edit.through(Site("embed"), lambda _: embedding)]
        return model.run(prompt, record=[last], edits=edits)[last][0, at]

    measured = finite_differences(model, prompt, state).square().sum((0, 2)).sqrt().log10()
    bound = interp.flow.token_sensitivity(model, prompt.texts).data["log_path_bound"].values[0]
    there = np.isfinite(bound)
    assert there[: at + 1].all()
    assert (bound[there] >= measured.numpy()[there]).all()


def test_the_bound_is_reached_by_one_path(tiny):
    """Where attention and MLPs write nothing the only path is the stream's: a Jacobian that is the identity."""
    model = tiny("llama", "float64")
    off = [Edit.zero(Site(name, layer)) for layer in range(model.dims.layers) for name in ("attn_write", "mlp_write")]
    with model.edited(off):
        data = interp.flow.token_sensitivity(model, "When Mary and John", paths="none").data
    np.testing.assert_allclose(data["sensitivity"].values[0, -1], model.dims.d_model**0.5)
    np.testing.assert_allclose(data["sensitivity"].values[0, :-1], 0)
    assert np.isnan(data["log_path_bound"]).all()
