"""What loading says of a model is true: it is exact, or refused by name, as a whole or site by site."""

import dataclasses
import functools
import json
import re
import sys

import pytest
import torch
from configurations import CONFIGURATIONS, LOADED, REFUSED
from refusing import refused
from tiny import CONTEXT, FAMILIES, write_family
from torch.testing import assert_close

import interp
from interp import engines
from interp.core.errors import EngineError, OptionError, SiteError
from interp.core.prompts import PromptPairs, Prompts
from interp.models import Edit, HookedModel, Site
from interp.models.bridging import build_bridge
from interp.models.dims import NO_LIMIT
from interp.models.layer_map import LAYER_MAPS
from interp.models.sites import SITES

LENGTH = 18  # longer than the windows, and than what loading reads


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    @functools.cache
    def write(name: str):
        return write_family(CONFIGURATIONS[name].family, tmp_path_factory.mktemp("configurations"))

    return write


@pytest.fixture(scope="module")
def loaded(folder):
    return functools.cache(lambda name: interp.load(str(folder(name)), dtype="float64"))


def prompts_of(model: HookedModel) -> Prompts:
    tokens = torch.randint(2, model.dims.vocab, (2, LENGTH), generator=torch.Generator().manual_seed(1))
    return Prompts.of_tokens(model, tokens.tolist())


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_a_whole(folder, name):
    """In one line that names the folder and the reason."""
    said = refused(folder(name), dtype="float64")
    assert said.startswith(str(folder(name)))
    assert re.search(CONFIGURATIONS[name].refusal or "", said), said


@pytest.mark.parametrize("name", LOADED)
def test_logits_are_hugging_faces(folder, loaded, name):
    """In float64, on other and longer texts than those of the check at loading, with hooks and without."""
    case, model = CONFIGURATIONS[name], loaded(name)
    plain = case.family.model.from_pretrained(
        folder(name), dtype=torch.float64, attn_implementation="eager", experts_implementation="eager"
    )
    prompts = prompts_of(model)
    with torch.no_grad():
        expected = plain.eval()(prompts.tokens).logits
    atol = case.tolerance * float(expected.abs().max())

    def read(logits: torch.Tensor) -> torch.Tensor:
        reads_one = model.is_classifier and not model.pools
        return logits[range(len(prompts)), prompts.answer_positions(model)] if reads_one else logits

    assert_close(read(model.logits(prompts)), expected, atol=atol, rtol=0)
    sites = [site for site in SITES if model.has(site)]
    trace = model.run(prompts, record=[site for each in sites for site in model.sites(each)])
    assert_close(read(trace.logits), expected, atol=atol, rtol=0)


@pytest.mark.parametrize("name", ["gpt2-classifier", "llama-classifier"])
def test_a_causal_classifier_passes_over_padding_at_the_end(folder, loaded, name):
    """As Hugging Face's does: where a prompt's tokens end in it, and where shorter prompts are padded."""
    model = loaded(name)
    plain = (
        CONFIGURATIONS[name]
        .family.model.from_pretrained(folder(name), dtype=torch.float64, attn_implementation="eager")
        .eval()
    )
    rows = [[5, 6, 7, 8], [5, 6, 7, 1], [5, 1, 1], [1, 5]]
    prompts = Prompts.of_tokens(model, rows)
    assert prompts.answer_positions(model) == (3, 2, 0, 1)
    metric = interp.Metric.reading(prompts.answer_positions(model), pooled=model.pools)
    with torch.no_grad():
        expected = torch.cat([plain(torch.tensor([row])).logits for row in rows])
        assert_close(model.run(prompts, answer=metric).logits, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", LOADED)
def test_what_is_refused_of_it(loaded, name):
    case, model = CONFIGURATIONS[name], loaded(name)
    assert set(model.obstacles.read) == case.unread
    assert set(model.obstacles.edit) == case.inert
    reasons = {part: reason for part, reason in model.obstacles.parts.items() if reason}
    assert reasons.keys() == case.parts.keys()
    for part, expected in case.parts.items():
        assert expected in reasons[part]
    for place in case.unread:
        name, _, layer = place.rstrip("]").partition("[")
        with pytest.raises(SiteError, match=name):
            model.record(prompts_of(model), [Site(name, int(layer or 1) if SITES[name].per_layer else None)])


@pytest.mark.parametrize("name", LOADED)
def test_every_site_offered_for_edits_moves_the_logits(loaded, name):
    """In the first and last layer; what is not offered is refused."""
    model = loaded(name)
    prompts = prompts_of(model)[[0]]
    clean = model.logits(prompts)
    for site in [site for each in SITES for site in model.sites(each)[:: model.dims.layers - 1]]:
        if model.edit_obstacle(site) is None:
            more = not site.name.endswith("_scale")  # which some norms share between heads
            change = Edit.through(
                site, lambda value, more=more: value * 1.5 + more * torch.arange(value.numel()).cos().view_as(value)
            )
            assert (model.run(prompts, edits=[change]).logits - clean).abs().max() > 1e-6, site
        else:
            with pytest.raises(SiteError):
                model.run(prompts, edits=[Edit.zero(site)])


@pytest.mark.parametrize("name", LOADED)
def test_heads_and_patterns_are_what_they_say(loaded, name):
    model = loaded(name)
    trace = {}
    for site in (Site("pattern", 1), Site("head_out", 1), Site("attn_out", 1)):
        if model.site_obstacle(site) is None:
            trace |= model.run(prompts_of(model), record=[site])
    if (pattern := trace.get(Site("pattern", 1))) is not None:
        assert_close(pattern.sum(-1), torch.ones_like(pattern[..., 0]), atol=1e-6, rtol=0)
        assert not (model.is_causal and pattern.triu(1).any())
    if (heads := trace.get(Site("head_out", 1))) is not None:
        total = heads.sum(2) + model.weights.output_bias(1)
        assert_close(total, trace[Site("attn_out", 1)], atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", LOADED)
@pytest.mark.parametrize("site", ["q", "k"])
def test_the_softmax_correction_is_exact_or_refused(loaded, name, site):
    """By the definition: the pattern with one head's query or key replaced, times the metric's gradient there."""
    model = loaded(name)
    if not model.has(site) or not model.is_causal:
        pytest.skip(f"has no {site}, or a pattern that nothing can take the place of")
    prompts = prompts_of(model)
    answers = model.class_names or (" Mary", " John")
    metric = interp.Metric.of(model, *answers[:2], positions=(LENGTH - 1,))
    pairs = PromptPairs(*(dataclasses.replace(prompts[[row]], metric=metric) for row in range(2)))
    options = {"site": site, "softmax_fix": True}
    if model.obstacle("attention", "alone"):
        with pytest.raises(OptionError, match="softmax_fix: "):
            interp.circuits.attribution_patching(model, pairs, metric=metric, **options)
        return
    effects = interp.circuits.attribution_patching(model, pairs, metric=metric, **options).values()[0, 1]
    pattern, place = Site("pattern", 1), Site(site, 1)
    value = model.record(pairs.corrupted, [place])[place]
    leaf = model.run(pairs.clean, record=[pattern])[pattern].requires_grad_()
    with torch.enable_grad():
        total = metric.of_rows(model.run(pairs.clean, edits=[Edit.replace(pattern, leaf)], answer=metric).logits).sum()
    (slope,) = torch.autograd.grad(total, leaf)
    for head, effect in enumerate(effects):
        there = model.run(pairs.clean, record=[pattern], edits=[Edit.resample(place, value, head=head)])[pattern]
        assert abs(float(((there - leaf.detach()) * slope).sum()) - float(effect)) < 1e-5, head


@pytest.mark.parametrize("name", LOADED)
def test_the_logit_lens_ends_in_the_models_own_prediction(loaded, name):
    model, case = loaded(name), CONFIGURATIONS[name]
    prompts = prompts_of(model)
    if "unembedding" in case.parts:
        with pytest.raises(EngineError, match=case.parts["unembedding"]):
            interp.readout.logit_lens(model, prompts)
        return
    last = interp.readout.logit_lens(model, prompts, top=1).data.top_logprob.isel(layer=-1, rank=0).values
    expected = model.logits(prompts).log_softmax(-1).max(-1).values
    assert_close(torch.as_tensor(last), expected, atol=1e-5, rtol=0, check_dtype=False)


def test_a_hooked_model_that_computes_something_else_is_not_loaded(checkpoint, monkeypatch):
    """The line names the family, the precision, the size of the difference and what to do."""
    load = sys.modules["interp.models.load"]

    def wrong(model, name):
        with torch.no_grad():
            model.lm_head.weight.mul_(1.01)
        return build_bridge(model, name)

    monkeypatch.setattr(load, "build_bridge", wrong)
    for dtype in ("float32", "float64"):
        said = refused(checkpoint("llama"), dtype=dtype)
        assert f"(llama) cannot be hooked exactly in {dtype}: its logits differ from Hugging Face's by 0.01" in said
        assert "choose a model of another family" in said


def test_layers_that_no_map_explains_are_refused_by_how_far_off_they_are(checkpoint, monkeypatch):
    """Such a model loads, and engines that need the map say why they do not support it."""
    monkeypatch.setattr("interp.models.identifying.LAYER_MAPS", {"post": LAYER_MAPS["post"]})
    model = interp.load(str(checkpoint("llama")))
    for engine in ("eap", "attnlrp", "direct-logit-attribution"):
        obstacle = engines.find(engine).obstacle(model) or ""
        assert "no known layer map explains: the nearest (post) is off by" in obstacle


def test_a_context_that_only_the_family_names(tmp_path):
    """Or nothing does: the tokenizer's "no limit" is none."""
    for name, context in (("mpt", CONTEXT), ("bloom", NO_LIMIT)):
        folder = write_family(CONFIGURATIONS[name].family, tmp_path / name)
        file = folder / "tokenizer_config.json"
        config = json.loads(file.read_text())
        del config["model_max_length"]
        file.write_text(json.dumps(config))
        assert interp.load(str(folder)).context_length == context


def test_what_runs_in_float32_only_says_so(checkpoint, monkeypatch):
    def without_half(model, name):
        bridge = build_bridge(model, name)
        bridge.ln_final.__dict__["forward"] = lambda stream: stream @ torch.eye(stream.shape[-1])
        return bridge

    monkeypatch.setattr(sys.modules["interp.models.load"], "build_bridge", without_half)
    assert "does not run with hooks in it" in (said := refused(checkpoint("llama"), dtype="bfloat16"))
    assert "load it in float32" in said


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_stays_within_its_bound(checkpoint, family, dtype):
    """What is exact in float32 is loaded in half precision too, with the same sites."""
    half, full = (interp.load(str(checkpoint(family)), dtype=each) for each in (dtype, "float32"))
    assert half.obstacles == full.obstacles
