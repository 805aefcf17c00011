"""Every family: the facade's logits are the Hugging Face model's, and every site is what it says."""

import threading

import pytest
import torch
from asking import pairs_for, prompts_for
from tiny import FAMILIES
from torch.testing import assert_close

import interp
from interp.core.errors import MemoryLimitError, SiteError
from interp.models import Edit, HookedModel, Site, memory
from interp.models.sites import SITES

EVERY = pytest.mark.parametrize("family", FAMILIES)


def hugging_face(checkpoint, family, dtype):
    """The same checkpoint, loaded without any of our code."""
    model = FAMILIES[family].model.from_pretrained(checkpoint(family), dtype=dtype, attn_implementation="eager")
    return model.eval().requires_grad_(False)


@EVERY
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-9)])
def test_logits_are_hugging_faces(checkpoint, tiny, family, dtype, tolerance):
    """A padded batch of two, read at the places that are not padding."""
    model = tiny(family, dtype)
    prompts = prompts_for(model, family)
    plain = hugging_face(checkpoint, family, getattr(torch, dtype))
    expected = plain(prompts.tokens, attention_mask=prompts.mask.long()).logits
    found = model.logits(prompts)
    if not model.is_classifier:
        found, expected = found[prompts.mask], expected[prompts.mask]
    assert_close(found, expected, atol=tolerance, rtol=0)


@EVERY
def test_a_padded_prompt_reads_as_it_does_alone(tiny, family):
    model = tiny(family)
    prompts = prompts_for(model, family)
    assert prompts.is_padded
    together = prompts.metric(model.logits(prompts))
    alone = torch.cat([prompts[[row]].metric(model.logits(prompts[[row]])) for row in range(2)])
    assert_close(together, alone, atol=1e-5, rtol=0)


def site_cases(model: HookedModel) -> list[str]:
    return [name for name in SITES if model.has(name)]


@EVERY
def test_every_site_is_causal_or_refuses(tiny, family):
    """Putting a site's own value back changes nothing; another value changes the answer; an ignored site refuses."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)[[0]]
    clean = model.logits(prompts)
    for name in site_cases(model):
        for site in model.sites(name):
            value = model.run(prompts, record=[site])[site]
            other = Edit.replace(site, value * 1.5 + torch.rand_like(value))  # noise: a norm undoes a shift
            if model.edit_obstacle(site):
                with pytest.raises(SiteError, match="ignores edits"):
                    model.run(prompts, edits=[other])
                continue
            same = model.run(prompts, edits=[Edit.replace(site, value)]).logits
            # Hugging Face's RMSNorm computes in float32 whatever the dtype; rebuilt from its scale it rounds elsewhere.
            tolerance = 1e-4 if name.endswith("_scale") else 1e-9
            assert_close(same, clean, atol=tolerance, rtol=0, msg=f"{site} put back changes the logits")
            changed = model.run(prompts, edits=[other]).logits
            assert (changed - clean).abs().max() > 1e-6, f"{site} is not causal"


@EVERY
def test_ignored_sites_are_ignored_by_the_bridge(tiny, family):
    """An edit of a site that is refused really does nothing."""
    model = tiny(family)
    prompts = prompts_for(model, family)[[0]]
    clean = model.logits(prompts)
    for name in model.obstacles.edit:
        with model._hooks.at(Site(name, 1), lambda value: value * 0 + 1):
            assert_close(model.logits(prompts), clean, atol=0, rtol=0)


@EVERY
def test_sites_have_the_declared_axes(tiny, family):
    model = tiny(family)
    prompts = prompts_for(model, family)
    d = model.dims
    sizes = {
        "batch": 2, "pos": prompts.width, "query_pos": prompts.width, "key_pos": prompts.width, "head": d.heads,
        "kv_head": d.kv_heads, "d_head": d.d_head, "d_model": d.d_model, "d_mlp": d.d_mlp, "one": 1,
        "d_rotary": d.d_head // 4 if family == "gptneox" else d.d_head,
    }  # fmt: skip
    for name in site_cases(model):
        site = model.sites(name)[-1]
        assert model.run(prompts, record=[site])[site].shape == tuple(sizes[a] for a in SITES[name].axes.split()), name


@EVERY
def test_the_stream_is_the_sum_of_what_is_written(tiny, family):
    """resid_post = resid_pre + attention's write + MLP's write, for every family whose norms are not on the stream."""
    model = tiny(family, "float64")
    if model.architecture.stream == "post":
        pytest.skip("the stream itself is normalised")
    names = ("resid_pre", "attn_write", "mlp_write", "resid_post")
    sites = [Site(name, 1) for name in names]
    before, attention, mlp, after = model.run(prompts_for(model, family), record=sites).values()
    assert_close(before + attention + mlp, after, atol=1e-12, rtol=0)


@EVERY
def test_head_outputs_sum_to_the_attention_output(tiny, family):
    model = tiny(family, "float64")
    trace = model.run(prompts_for(model, family), record=[Site("head_out", 1), Site("attn_out", 1)])
    heads, total = trace[Site("head_out", 1)], trace[Site("attn_out", 1)]
    assert_close(heads.sum(2) + model.weights.output_bias(1), total, atol=1e-12, rtol=0)


@EVERY
def test_editing_a_head_output_equals_editing_its_z(tiny, family):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    by_output = model.run(prompts, edits=[Edit.zero(Site("head_out", 1), head=2)]).logits
    by_z = model.run(prompts, edits=[Edit.zero(Site("z", 1), head=2)]).logits
    assert_close(by_output, by_z, atol=1e-10, rtol=0)


@EVERY
def test_starting_at_a_layer_equals_running_all(tiny, family):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    full = model.run(prompts, record=[Site("resid_pre", 2)])
    started = model.run(prompts, start=(2, full[Site("resid_pre", 2)])).logits
    assert_close(started, full.logits, atol=1e-12, rtol=0)
    assert_close(model.logits(prompts), full.logits, atol=0, rtol=0)


@EVERY
def test_only_the_answer_equals_the_full_logits(tiny, family):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    rows = model.run(prompts, answer=prompts.metric).logits
    assert_close(prompts.metric.of_rows(rows), prompts.metric(model.logits(prompts)), atol=1e-12, rtol=0)


def test_edits_touch_only_what_they_name(tiny):
    """At one head, one position and one prompt of the batch: every other number is bit-identical."""
    model = tiny("llama")
    prompts = prompts_for(model, "llama")
    site = Site("z", 1)
    clean = model.run(prompts, record=[site])[site]
    edit = Edit.replace(site, 7.0, head=2, pos=1, row=0)
    changed = edit.applied(clean)
    assert (changed[0, 1, 2] == 7).all()
    changed[0, 1, 2] = clean[0, 1, 2]
    assert torch.equal(changed, clean)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (Edit.zero(Site("z", 0), head=(1, 3)), lambda z: z * torch.tensor([1, 0, 1, 0.0])[:, None]),
        (Edit.scale(Site("z", 0), 2.0, pos=0), lambda z: torch.cat([z[:, :1] * 2, z[:, 1:]], 1)),
        (Edit.add(Site("z", 0), torch.arange(8.0)), lambda z: z + torch.arange(8.0)),
        (Edit.replace(Site("z", 0), torch.ones(8), row=1), lambda z: torch.stack([z[0], torch.ones_like(z[0])])),
    ],
)
def test_kinds_of_edit(edit, expected):
    z = torch.randn(2, 5, 4, 8)
    assert_close(edit.applied(z), expected(z), atol=0, rtol=0)


def test_the_mean_leaves_padding_out(tiny):
    """Each prompt's own mean over its own tokens, as a loop over them gives it."""
    model = tiny("llama", "float64")
    prompts, site = prompts_for(model, "llama"), Site("z", 1)
    z = model.record(prompts, [site])[site]
    changed = Edit.mean(site, z, prompts.mask, head=1, pos=0).applied(z)
    for row in range(2):
        length = int(prompts.mask[row].sum())
        assert_close(changed[row, 0, 1], sum(z[row, pos, 1] for pos in range(length)) / length)
    assert torch.equal(changed[:, 1:], z[:, 1:])


def test_a_run_that_cannot_fit_is_refused_with_both_numbers(tiny, monkeypatch):
    model = tiny("llama")
    monkeypatch.setattr(memory, "free_memory", lambda device: 2**20)
    with pytest.raises(MemoryLimitError, match=r"need \d+\.\d GiB, but only 0\.0 GiB are free; shorten"):
        model.run(prompts_for(model, "llama")[[0] * 2000], record=model.sites("pattern"))


@EVERY
def test_every_label_that_is_written_like_its_token_names_it(tiny, family):
    """What the model is said to predict can be asked for: pieces of words and of characters too."""
    model = tiny(family)
    raw = model.tokenizer.convert_ids_to_tokens(range(len(model.tokenizer)))
    for token, text in enumerate(raw):
        if text == model.token_label(token):
            assert model.encode_continuation(text) == [token]


@EVERY
def test_the_model_is_restored_after_success_and_after_an_exception(tiny, family):
    model = tiny(family)
    prompts = prompts_for(model, family)
    clean = model.logits(prompts)
    with model.edited([Edit.zero(Site("z", 1))]):
        assert (model.logits(prompts) - clean).abs().max() > 1e-6
    assert torch.equal(model.logits(prompts), clean)
    with pytest.raises(RuntimeError):
        model.run(prompts, edits=[Edit.replace(Site("z", 1), torch.ones(3, 3, 3, 3, 3))])
    assert torch.equal(model.logits(prompts), clean)
    assert not any(point._forward_hooks or point._backward_hooks for point in model._hooks.points.values())


def test_threads_never_see_each_others_edits(tiny):
    """Eight threads, each with an edit of its own, get what each would get alone."""
    model = tiny("llama")
    prompts = prompts_for(model, "llama")
    edits = [[Edit.zero(Site("z", layer), head=head)] for layer in (0, 1) for head in range(4)]
    alone = [model.run(prompts, edits=edit).logits for edit in edits]
    found: dict[tuple[int, int], torch.Tensor] = {}

    def work(index: int) -> None:
        for turn in range(5):
            found[index, turn] = model.run(prompts, edits=edits[index]).logits

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(edits))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    for (index, _), logits in found.items():
        assert torch.equal(logits, alone[index])


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (Site("zz", 0), "no site 'zz'"),
        (Site("z", 9), "needs a layer from 0 to 2"),
        (Site("z"), "needs a layer"),
        (Site("pos_embed"), "has no pos_embed"),
    ],
)
def test_sites_that_are_not_there(tiny, site, message):
    model = tiny("llama")
    with pytest.raises(SiteError, match=message):
        model.run(prompts_for(model, "llama"), record=[site])


def test_a_head_that_is_not_there(tiny):
    model = tiny("llama")
    with pytest.raises(SiteError, match="heads 0 to 3, not 4"):
        model.run(prompts_for(model, "llama"), edits=[Edit.zero(Site("z", 0), head=4)])
    with pytest.raises(SiteError, match="heads 0 to 1, not 2"):
        model.run(prompts_for(model, "llama"), edits=[Edit.zero(Site("k", 0), head=2)])


def test_two_models_do_not_touch_each_other(checkpoint, tiny):
    """Another model of the same family gives bit-identical logits while the first is edited."""
    first, second = tiny("llama"), interp.load(str(checkpoint("llama")))
    prompts = pairs_for(first, "llama").clean
    clean = second.logits(prompts)
    with first.edited([Edit.zero(Site("z", 0))]):
        assert torch.equal(second.logits(prompts), clean)


def test_weights_take_no_gradient_and_stay_in_evaluation(tiny):
    model = tiny("gpt2")
    assert not any(parameter.requires_grad for parameter in model.bridge.parameters())
    assert not any(parameter.requires_grad for parameter in model.bridge.original_model.parameters())
    assert not model.bridge.original_model.training
    assert not model.logits(prompts_for(model, "gpt2")).requires_grad
