"""Steering against the same pushes written out, and directions that were planted."""

import numpy as np
import pytest
import torch
from asking import pairs_for
from numpy.testing import assert_allclose

from interp.core.errors import OptionError, PromptError, SiteError
from interp.core.prompts import Prompts
from interp.corpus import Windows
from interp.directions import Direction, dose_curve, from_pairs, steer
from interp.models import Edit, Site

WORDS = (
    ["When Mary and John went", "The keys to the", "Mary gave a drink to"],
    ["The store", "John and Mary to the store", "keys"],
)


def saved(model, site=None, seed=0, distance=2.0):
    vector = np.random.default_rng(seed).normal(size=model.dims.d_model)
    vector /= np.linalg.norm(vector)
    made = Direction(site or Site("resid_pre", 1), vector, model.name, model.weight_hash, "at random", distance)
    return made, made.save()


def pushed(model, prompts, site, change, skip=1):
    """The logits with every state behind the first ones changed by a function, one prompt at a time."""
    rows = []
    for row in range(len(prompts)):
        prompt = prompts[[row]]

        def edit(stream):
            out = stream.clone()
            for pos in range(skip, stream.shape[1]):
                out[0, pos] = change(stream[0, pos])
            return out

        logits = model.run(prompt, edits=[Edit.through(site, edit)]).logits
        rows.append(logits[0] if model.is_classifier else logits[0, prompt.answer_positions(model)[0]])
    return torch.stack(rows)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox", "bert-masked"])
@pytest.mark.parametrize("change", ["add", "clamp", "ablate"])
def test_every_state_is_pushed(tiny, family, change):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    prompts, site = pairs.clean, Site("resid_post", model.dims.layers - 1) if change == "add" else Site("resid_pre", 1)
    direction, name = saved(model, site)
    vector = torch.from_numpy(direction.vector)
    result = steer(model, prompts, direction=name, strength=0.3, unit="distance", change=change)

    def changed(state):
        component = state @ vector
        return state + {"add": 0.6, "clamp": 0.6 - component, "ablate": -component}[change] * vector

    assert_allclose(result.values("edited"), pairs.metric.of_rows(pushed(model, prompts, site, changed)), atol=1e-9)


def test_a_share_of_the_streams_norm(tiny):
    """The median norm of each prompt's own states behind the first."""
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    site = Site("resid_pre", 2)
    direction, name = saved(model, site)
    result = steer(model, pairs.clean, direction=name, strength=-0.5)
    for row in range(2):
        prompt = pairs.clean[[row]]
        norm = model.record(prompt, [site])[site][0, 1:].norm(dim=-1).median()
        logits = pushed(
            model, prompt, site, lambda state, norm=norm: state - 0.5 * norm * torch.from_numpy(direction.vector)
        )
        assert_allclose(result.values("edited")[row], pairs.metric.select([row]).of_rows(logits)[0], atol=1e-9)


def test_a_dose_curve_is_its_doses(tiny):
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    direction, name = saved(model)
    options = {"direction": name, "strengths": (-0.2, 0.0, 0.4), "draws": 3, "windows": 3, "length": 12}
    result = dose_curve(model, pairs.clean, **options)
    for strength in options["strengths"]:
        effect = float(steer(model, pairs.clean, direction=name, strength=strength).values("effect").mean())
        assert_allclose(result.values("effect").sel(strength=strength), effect, atol=1e-9)
    assert float(abs(result.values("random_effect").sel(strength=0.0)).max()) < 1e-12
    assert float(result.values("divergence").sel(strength=0.0)) == 0

    windows = Windows.cut(model, "stdlib", windows=3, length=12, seed=0)
    clean = model.logits(windows).log_softmax(-1)
    sums, rises, count = 0.0, 0.0, 0
    for row in range(3):
        window = windows[[row]]
        norm = model.record(window, [direction.site])[direction.site][0, 1:].norm(dim=-1).median()
        edit = Edit.through(
            direction.site,
            lambda stream, norm=norm: torch.cat(
                [stream[:, :1], stream[:, 1:] + 0.4 * norm * torch.from_numpy(direction.vector)], 1
            ),
        )
        after = model.run(window, edits=[edit]).logits.log_softmax(-1)[0]
        for pos in range(1, 11):
            p = clean[row, pos].exp()
            sums += float((p * (clean[row, pos] - after[pos])).sum())
            rises += float(clean[row, pos, window.tokens[0, pos + 1]] - after[pos, window.tokens[0, pos + 1]])
            count += 1
    assert_allclose(result.values("divergence").sel(strength=0.4), sums / count, rtol=1e-4)
    assert_allclose(result.values("loss_rise").sel(strength=0.4), rises / count, rtol=1e-3, atol=1e-6)


def test_an_instruction_instead(tiny):
    model = tiny("llama", "float64")
    text, asked = "The keys to the store", {"target": " Mary", "contrast": " John"}
    _, name = saved(model)
    options = {"direction": name, "strengths": (0.1,), "draws": 1, "windows": 2, "length": 8}
    result = dose_curve(model, text, **asked, instruction="When John went", **options)
    metrics = [Prompts.of(model, each, **asked) for each in (text, f"When John went {text}")]
    clean, longer = (float(each.metric(model.logits(each))[0]) for each in metrics)
    assert_allclose(float(result.values("instructed_effect")), longer - clean, atol=1e-9)


@pytest.mark.parametrize("read", ["answer", "mean"])
@pytest.mark.parametrize("method", ["mean", "pca", "logistic"])
def test_a_direction_of_pairs(tiny, method, read):
    model = tiny("llama", "float64")
    made = from_pairs(model, *WORDS, layer=2, method=method, read=read)
    site = Site("resid_pre", 2)

    def state(text):
        stream = model.record(Prompts.of(model, text), [site])[site][0]
        return (stream[-1] if read == "answer" else stream[1:].mean(0) if len(stream) > 1 else stream[0]).numpy()

    positive, negative = (np.stack([state(text) for text in texts]) for texts in WORDS)
    difference = positive.mean(0) - negative.mean(0)
    assert made.vector @ difference > 0
    assert_allclose(made.distance, made.vector @ difference)
    if method == "mean":
        assert_allclose(made.vector, difference / np.linalg.norm(difference), atol=1e-9)
    if method == "pca":
        gram = (positive - negative).T @ (positive - negative)
        assert_allclose(made.vector @ gram @ made.vector, np.linalg.eigvalsh(gram)[-1], rtol=1e-9)
    if method == "logistic":
        scores = [group @ made.vector for group in (positive, negative)]
        assert scores[0].min() > scores[1].max()


def test_a_planted_direction_steers(tiny):
    """What the unembedding reads for one answer against the other, added to the last stream."""
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    columns = model.weights.unembedding()
    answers = [tokens[0] for tokens in (pairs.metric.targets[0], pairs.metric.contrasts[0])]
    site = Site("resid_post", model.dims.layers - 1)
    vector = (columns[:, answers[0]] - columns[:, answers[1]]).numpy()
    made = Direction(site, vector / np.linalg.norm(vector), model.name, model.weight_hash, "planted")
    curve = dose_curve(model, pairs.clean, direction=made.save(), strengths=(-1.0, 1.0), draws=20, windows=2, length=8)
    assert float(curve.values("effect").sel(strength=1.0)) > float(
        curve.values("random_effect").sel(strength=1.0).max()
    )
    assert float(curve.values("effect").sel(strength=-1.0)) < 0


def test_what_cannot_be_steered(tiny, tmp_path):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    made, name = saved(model, distance=float("nan"))
    with pytest.raises(OptionError, match="direction names no direction; give the name of a saved one"):
        steer(model, pairs)
    with pytest.raises(SiteError, match="no direction d1.resid_pre.00000000 has been saved"):
        steer(model, pairs, direction="d1.resid_pre.00000000")
    with pytest.raises(OptionError, match="use unit = 'norm'"):
        steer(model, pairs, direction=name, unit="distance")
    with pytest.raises(OptionError, match="skip = 5 leaves no position of prompt 1"):
        steer(model, pairs, direction=name, skip=5)
    made.save(tmp_path / "one.safetensors")
    steer(model, pairs, direction=str(tmp_path / "one.safetensors"))
    with pytest.raises(SiteError, match=r"is of .*, not of"):
        steer(tiny("gpt2"), pairs_for(tiny("gpt2"), "gpt2"), direction=str(tmp_path / "one.safetensors"))
    with pytest.raises(PromptError, match="have the same states"):
        from_pairs(model, ["The keys"], ["The keys"], layer=1)
    with pytest.raises(PromptError, match="give as many, or use method = 'mean'"):
        from_pairs(model, ["The keys"], ["The store", "keys"], layer=1, method="pca")
    with pytest.raises(SiteError, match="has streams 0 to 3"):
        from_pairs(model, ["The keys"], ["The store"], layer=9)
    with pytest.raises(PromptError, match="positive is 'The keys'; give a list"):
        from_pairs(model, "The keys", ["The store"], layer=1)
