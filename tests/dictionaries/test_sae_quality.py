"""Quality by plain loops over positions in float64, planted dictionaries of which everything is known, and sae-lens."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from reading import sentences
from safetensors.torch import load_file

from interp import Edit, Prompts, Site
from interp.core.errors import CorpusError, DictionaryError
from interp.dictionaries import attached, known, load, sae_quality
from interp.dictionaries.quality.activity import nearest_cosines
from interp.dictionaries.quality.fidelity import Fidelity, recovered

SITE = Site("z", 1)


def weights_of(model):
    folder = next(iter(known(model).values()))
    return {name: value.double() for name, value in load_file(folder / "sae_weights.safetensors").items()}


def features_of(w, x):
    before = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    return before.relu() * (before > w["threshold"])


def outputs(model, prompts, replaced=None):
    """Log-probabilities of one prompt; the site's vectors replaced by others."""
    edits = []
    if replaced is not None:
        shape = (1, -1, model.dims.heads, model.dims.d_head)
        edits = [Edit.replace(SITE, replaced.reshape(shape))]
    found = model.run(prompts, edits=edits).logits[0].log_softmax(-1)
    return found[None] if model.is_classifier else found


def by_loops(model, texts, skip):
    """Every number, one position of one text after another."""
    w, runs = weights_of(model), ("clean", "spliced", "zero", "mean")
    read = [Prompts.of(model, text) for text in texts]
    sites = [model.run(prompts, record=[SITE])[SITE][0].flatten(1) for prompts in read]
    rows = torch.cat([x[skip:] for x in sites])
    mean = sum(rows) / len(rows)
    total = {f"{what}_{run}": 0.0 for what in ("ce", "kl") for run in runs}
    active, summed = [0] * 24, [0.0] * 24
    l0 = missed = varied = cosine = predicted = compared = 0.0
    for prompts, x in zip(read, sites, strict=True):
        features = features_of(w, x)
        written = features @ w["W_dec"] + w["b_dec"]
        for there, made, code in list(zip(x, written, features, strict=True))[skip:]:
            l0 += int((code > 0).sum())
            missed += float(((there - made) ** 2).sum())
            varied += float(((there - mean) ** 2).sum())
            cosine += float(there @ made / (there.norm() * made.norm()))
            for feature, value in enumerate(code.tolist()):
                active[feature] += value > 0
                summed[feature] += value
        put = {"clean": x, "spliced": written, "zero": torch.zeros_like(x), "mean": mean.expand_as(x)}
        now = {run: outputs(model, prompts, torch.cat([x[:skip], put[run][skip:]])) for run in runs}
        tokens = prompts.tokens[0].tolist()
        for place in range(len(now["clean"])) if model.is_classifier else range(skip, len(tokens)):
            compared += 1
            follows = model.is_causal and place + 1 < len(tokens)
            predicted += follows
            p = now["clean"][place]
            for run in runs:
                q = now[run][place]
                total[f"kl_{run}"] += float(sum(a.exp() * (a - b) for a, b in zip(p, q, strict=True)))
                total[f"ce_{run}"] -= float(q[tokens[place + 1]]) if follows else 0.0
    count = len(rows)
    found = {name: value / compared for name, value in total.items() if name.startswith("kl")}
    found |= {n: v / predicted if predicted else math.nan for n, v in total.items() if n.startswith("ce")}
    found |= {"l0": l0 / count, "explained_variance": 1 - missed / varied, "cosine": cosine / count}
    found |= {"dead": sum(a == 0 for a in active) / 24, "dense": sum(a / count > 0.1 for a in active) / 24}
    return found | {
        "density": [a / count for a in active],
        "activation": [s / a if a else math.nan for s, a in zip(summed, active, strict=True)],
    }


@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("family", ["gpt2", "llama", "bert-masked", "bert-classifier"])
def test_agrees_with_plain_loops(family, skip, tiny):
    """Texts of different lengths together, so that padding is there."""
    model, texts = tiny(family, "float64"), sentences(family, 3)
    expected = by_loops(model, texts, skip)
    del expected["kl_clean"]
    found = sae_quality(model, texts, skip=skip).data
    for name, value in expected.items():
        np.testing.assert_allclose(found[name].values, value, rtol=1e-7, atol=1e-9, err_msg=name)


def test_cosines_of_decoder_rows(tiny, monkeypatch):
    model = tiny("llama", "float64")
    w = weights_of(model)
    monkeypatch.setattr("interp.dictionaries.quality.activity.CHUNK", 7)
    found = sae_quality(model, sentences("llama", 2)).data

    def cosine(one, two):
        return float(one @ two / (one.norm() * two.norm()))

    rows, columns = w["W_dec"], w["W_enc"].T
    both = [cosine(rows[i], columns[i]) for i in range(24)]
    nearest = [max(cosine(rows[i], rows[j]) for j in range(24) if j != i) for i in range(24)]
    np.testing.assert_allclose(found["encoder_cosine"], both, atol=1e-9)
    np.testing.assert_allclose(found["nearest_cosine"], nearest, atol=1e-9)
    assert found["mean_nearest_cosine"].item() == pytest.approx(np.mean(nearest))
    assert nearest_cosines(rows[:1]).isnan().all()


def test_padding_never_matters(tiny):
    model = tiny("llama", "float64")
    plain = Prompts.of(model, sentences("llama", 3))
    wider = dataclasses.replace(
        plain,
        tokens=torch.nn.functional.pad(plain.tokens, (0, 3), value=7),
        mask=torch.nn.functional.pad(plain.mask, (0, 3)),
        labels=tuple((*row, "", "", "") for row in plain.labels),
    )
    one, two = sae_quality(model, plain).data, sae_quality(model, wider).data
    for name in one.data_vars:
        np.testing.assert_allclose(one[name], two[name], atol=1e-10, err_msg=name)


def spoken(model, count=6, length=40):
    """Windows of what the model itself would say: ablations make it worse."""
    rows = torch.randint(1, model.dims.vocab, (count, 3), generator=torch.Generator().manual_seed(0))
    while rows.shape[1] < length:
        logits = model.logits(Prompts.of_tokens(model, rows.tolist()))[:, -1]
        rows = torch.cat([rows, logits.argmax(-1, keepdim=True)], 1)
    return Prompts.of_tokens(model, rows.tolist())


def planted(saved, model, *, features=None, architecture="standard", **weights):
    """A dictionary of z of layer 1 with these weights; the others are zero."""
    width = model.dims.heads * model.dims.d_head
    folder, sae = saved(
        architecture, width, features=features or 2 * width, hook="blocks.1.attn.hook_z", model=model.name
    )
    for name, parameter in sae.named_parameters():
        parameter.data = weights.get(name, torch.zeros_like(parameter)).float()
    sae.save_model(folder)
    return folder


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_dictionary_that_misses_nothing(family, saved, tiny):
    """ReLU(x) − ReLU(−x) = x."""
    model = tiny(family, "float64")
    one = torch.eye(model.dims.heads * model.dims.d_head)
    folder = planted(saved, model, W_enc=torch.cat([one, -one], 1), W_dec=torch.cat([one, -one]))
    data = sae_quality(model, spoken(model), dictionary=str(folder)).data
    for name in ("explained_variance", "cosine", "recovered_zero", "recovered_mean", "mean_encoder_cosine"):
        assert data[name].item() == pytest.approx(1, abs=1e-9), name
    for name in ("recovered_zero", "recovered_mean"):
        assert data[f"{name}_interval"].values == pytest.approx([1, 1], abs=1e-9)
    assert data["kl_spliced"].item() == pytest.approx(0, abs=1e-12)
    assert data["ce_spliced"].item() == pytest.approx(data["ce_clean"].item(), abs=1e-12)
    assert data["ce_clean"].item() < min(data["ce_zero"].item(), data["ce_mean"].item())
    assert data["l0"].item() == len(one)
    assert data["mean_nearest_cosine"].item() == 0
    assert "undefined" not in data.attrs


@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_a_dictionary_that_says_the_same_of_everything(ablation, saved, tiny):
    """Its bias alone: an ablation."""
    model = tiny("llama", "float64")
    windows = spoken(model)
    held = model.run(windows, record=[SITE])[SITE].flatten(2)[:, 1:]
    bias = held.mean((0, 1)) if ablation == "mean" else torch.zeros_like(held[0, 0])
    dead = planted(saved, model, features=8, b_enc=-torch.ones(8), b_dec=bias)
    data = sae_quality(model, windows, dictionary=str(dead)).data
    assert data[f"recovered_{ablation}"].item() == pytest.approx(0, abs=1e-6)
    for what in ("ce", "kl"):  # the bias is kept in float32
        assert data[f"{what}_spliced"].item() == pytest.approx(data[f"{what}_{ablation}"].item(), abs=1e-6)
    assert (data["l0"].item(), data["dead"].item(), data["dense"].item()) == (0, 1, 0)
    assert data["activation"].isnull().all()
    if ablation == "mean":
        assert data["explained_variance"].item() == pytest.approx(0, abs=1e-9)


def losses(clean, zero, mean, spliced, tokens=None, **more):
    made = np.array([clean, zero, mean, spliced], dtype=float)
    tokens = np.ones(made.shape[1]) if tokens is None else np.array(tokens, dtype=float)
    return Fidelity(("clean", "zero", "mean", 0), tokens, tokens, made, made * 0, more.get("next_token", True))


def test_what_is_recovered_with_its_interval():
    """The ratio of the sums; resampled window by window."""
    random = np.random.default_rng(0)
    tokens = random.integers(5, 9, 12)
    clean = random.uniform(2, 3, 12) * tokens
    ablated, spliced = clean + random.uniform(1, 3, 12) * tokens, clean + random.uniform(0.1, 0.5, 12) * tokens
    score = recovered(losses(clean, ablated, ablated, spliced, tokens), "zero", 0)
    assert score.value == pytest.approx((ablated - spliced).sum() / (ablated - clean).sum())
    assert score.low < score.value < score.high
    draws = []
    for _ in range(4000):
        rows = random.integers(0, 12, 12)
        draws.append(sum(ablated[r] - spliced[r] for r in rows) / sum(ablated[r] - clean[r] for r in rows))
    np.testing.assert_allclose([score.low, score.high], np.quantile(draws, [0.025, 0.975]), atol=0.01)


def test_a_ratio_that_makes_no_sense_is_none():
    clean = np.array([3.0, 3.1, 2.9, 3.0])
    noisy = clean + np.array([1.0, -0.9, 0.8, -0.7])
    found = losses(clean, clean - 0.5, noisy, clean)
    lowers, noise = (recovered(found, ablation, 0) for ablation in ("zero", "mean"))
    assert "zero ablation does not raise the loss (-0.5 nats)" in lowers.undefined
    assert "by no more than its noise" in noise.undefined
    for score in (lowers, noise, recovered(losses(clean, clean, clean, clean), "zero", 0)):
        assert score.undefined
        assert np.isnan([score.value, score.low, score.high]).all()
    alone = recovered(losses([3.0], [4.0], [4.0], [3.1]), "zero", 0)
    assert alone.value == pytest.approx(0.9)
    assert np.isnan([alone.low, alone.high]).all()


def test_the_reason_is_said(tiny):
    """In what was measured, and as a fact."""
    random_text = sae_quality(tiny("llama"), sentences("llama", 2))
    assert "no recovered_" in random_text.measured
    assert random_text.data.attrs["undefined"] in random_text.measured
    masked = sae_quality(tiny("bert-masked"), sentences("bert-masked", 2))
    assert masked.data.attrs["undefined"] == ("no recovered_zero and recovered_mean: the model predicts no next token")
    assert masked.data["ce_clean"].isnull()
    assert masked.data["kl_zero"].item() > 0
    one = sae_quality(tiny("llama"), Prompts.of_tokens(tiny("llama"), [[5, 6]]))
    assert "explained_variance: the site is constant over the text" in one.measured
    assert one.data["explained_variance"].isnull()


def test_as_sae_lens_measures_it(saved, tiny):
    """Its own calculators, on the same tokens, first positions and all."""
    from sae_lens.evals import ExplainedVarianceCalculator, get_recons_loss
    from sae_lens.synthetic.evals import L0Calculator
    from sae_lens.training.activation_scaler import ActivationScaler

    model = tiny("gpt2", "float64")
    windows = spoken(model)
    dictionary = attached(model)
    data = sae_quality(model, windows, skip=0).data
    x = model.run(windows, record=[SITE])[SITE].flatten(2).flatten(0, 1)
    variance, l0 = ExplainedVarianceCalculator(), L0Calculator()
    features = dictionary.sae.encode(x)
    variance.add_batch(dictionary.sae.decode(features), x)
    l0.add_batch(features)
    assert data["explained_variance"].item() == pytest.approx(variance.compute(), rel=1e-9)
    assert data["l0"].item() == pytest.approx(l0.compute())
    theirs = get_recons_loss(dictionary.sae, model.bridge, ActivationScaler(), windows.tokens, True, True)
    said = {name: float(value.mean()) for name, value in theirs.items()}
    for name, ours in {
        "ce_loss_without_sae": "ce_clean", "ce_loss_with_sae": "ce_spliced", "ce_loss_with_ablation": "ce_zero",
        "kl_div_with_sae": "kl_spliced", "kl_div_with_ablation": "kl_zero",
    }.items():  # fmt: skip
        assert data[ours].item() == pytest.approx(said[name], rel=1e-6), name
    score = (said["ce_loss_with_ablation"] - said["ce_loss_with_sae"]) / (
        said["ce_loss_with_ablation"] - said["ce_loss_without_sae"]
    )
    assert data["recovered_zero"].item() == pytest.approx(score, rel=1e-6)


def test_others_beside_it(saved, tiny, tmp_path):
    """Each as if it were measured alone; the same dictionary in another order is the same."""
    model, texts = tiny("llama", "float64"), sentences("llama", 4)
    mine = load(next(iter(known(model).values()))).sae
    folder = tmp_path / "turned"
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        mine.W_enc.copy_(mine.W_enc[:, order])
        mine.W_dec.copy_(-mine.W_dec[order])
    mine.save_model(folder)
    random = planted(saved, model, features=24, W_dec=torch.randn(24, 32), W_enc=torch.randn(32, 24))
    data = sae_quality(model, texts, others=[str(folder), str(random)]).data
    assert list(data["dictionary"].values) == ["llama-z1", "turned", "standard"]
    mcc = data["mcc"].values
    np.testing.assert_allclose(mcc, mcc.T)
    np.testing.assert_allclose(np.diag(mcc), 1)
    assert mcc[0, 1] == pytest.approx(1, abs=1e-6)
    assert mcc[0, 2] < 0.7
    for row, name in enumerate(["", str(folder), str(random)]):
        alone = sae_quality(model, texts, dictionary=name).to_frame().iloc[0]
        for entry in data["entry"].values:
            value = data["value"].sel(entry=entry).values[row]
            np.testing.assert_allclose(value, alone[entry], rtol=1e-9, err_msg=entry)
    l0 = data["value"].sel(entry="l0").values
    assert data["value_mean"].sel(entry="l0").item() == pytest.approx(sum(l0) / 3)
    assert data["value_deviation"].sel(entry="l0").item() == pytest.approx(
        math.sqrt(sum((each - sum(l0) / 3) ** 2 for each in l0) / 2)
    )


def test_what_cannot_be_measured_is_refused(saved, tiny):
    model = tiny("llama")
    with pytest.raises(CorpusError, match="first 64 positions; give more text"):
        sae_quality(model, "The keys to the cabinet", skip=64)
    elsewhere, _ = saved("standard", model.dims.d_model, hook="blocks.0.hook_resid_pre", model=model.name)
    with pytest.raises(DictionaryError, match="one site"):
        sae_quality(model, "The keys to the cabinet", others=[str(elsewhere)])
