"""Against plain runs in float64 in which one receiver reads a sum of its own."""

import numpy as np
import pytest
import torch
from asking import CAUSAL, covering, pairs_for
from circuits.test_eap import CLOSE
from geometry.test_head_composition import Whole
from numpy.testing import assert_allclose
from plain_graph import run
from plain_transformer import plain

from interp.circuits import path_patching
from interp.core.errors import EngineError, OptionError, SiteError
from interp.geometry import channel_ablation
from interp.geometry.channel_ablation import Channel, channel_edits
from interp.models import Site

EVERY = pytest.mark.parametrize("family", CAUSAL)


def scaled(whole, channel, factor):
    """A change of what the channel's receiver reads: each direction's part of what its sender wrote, one by one."""
    directions = torch.linalg.svd(whole.written(channel.sender))[2]

    def change(name, value, written):
        if name == channel.receiver:
            for component in channel.components:
                direction = directions[component]
                value = value + (factor - 1) * torch.outer(written[channel.sender] @ direction, direction)
        return value

    return change


CHANNELS = [("a0.1", "q1.2", (0,)), ("a1.3", "k2.1", (0, 5)), ("a0.2", "v2.0", (7, 1, 2))]


@covering(("family", CAUSAL), ("channel", CHANNELS), ("factor", [0.0, 2.5]))
def test_agrees_with_plain_runs(tiny, checkpoint, family, channel, factor):
    model, channel = tiny(family, "float64"), Channel(*channel)
    pairs = pairs_for(model, family)
    options = dict(zip(Channel._fields, channel, strict=True), factor=factor)
    found = channel_ablation(model, pairs, **options).data
    whole = Whole(checkpoint, family, model.dims.kv_heads)
    for row in range(2):
        metric = pairs.metric.select([row])
        bare = plain(checkpoint, family, pairs.clean[[row]].tokens[0])
        heads, position = model.dims.kv_heads, metric.positions[0]
        before, _, _ = run(bare, heads, position)
        after, _, _ = run(bare, heads, position, scaled(whole, channel, factor))
        expected = [float(metric.of_rows(logits[None])) for logits in (before, after)]
        assert_allclose([found.clean[row], found.edited[row]], expected, atol=CLOSE[family], rtol=CLOSE[family])
        assert_allclose(found.edited_prob[row], after.softmax(-1).sort(descending=True).values[:10], atol=CLOSE[family])


@EVERY
def test_factor_one_changes_nothing_and_all_directions_are_the_edge(tiny, family):
    """The second is the effect of cutting the edge, which path patching with zeros measures."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    ends = {"sender": "a0.3", "receiver": "v2.1"}
    assert (channel_ablation(model, pairs, **ends, components=(0, 3), factor=1).values("effect") == 0).all()
    found = channel_ablation(model, pairs, **ends, components=range(8)).values("effect")
    cut = path_patching(model, pairs, senders=("a0.3",), receivers=("v2.1",), how="zero").values()
    assert_allclose(found, cut[:, 0], atol=1e-6 if family != "gpt2" else 1e-9)
    assert abs(found).max() > 1e-4


@EVERY
def test_other_receivers_read_what_they_read(tiny, family):
    """In the receiver's layer and below, nothing but that receiver's own projection moves."""
    model = tiny(family, "float64")
    prompts = pairs_for(model, family).clean
    sites = [Site(name, layer) for layer in range(3) for name in ("resid_pre", "q", "k", "v")]
    before = model.record(prompts, sites)
    after = model.run(prompts, record=sites, edits=channel_edits(model, [Channel("a0.0", "k2.1", (0,))], 3.0))
    moved = {(site, head) for site in sites for head in range(before[site].shape[2])
             if not torch.equal(before[site][:, :, head], after[site][:, :, head])}  # fmt: skip
    assert moved == {(Site("k", 2), 1)}


def test_channels_into_one_receiver_are_read_together(tiny, checkpoint):
    """Its norm sees their sum; a channel into a later layer starts from what the earlier ones left."""
    model = tiny("gpt2", "float64")
    pairs = pairs_for(model, "gpt2")
    channels = [Channel("a0.1", "q2.2", (0, 4)), Channel("a1.0", "q2.2", (1,)), Channel("a0.1", "v1.3", (2,))]
    logits = model.run(pairs.clean, edits=channel_edits(model, channels, -1.0), answer=pairs.metric).logits
    whole = Whole(checkpoint, "gpt2", 4)
    changes = [scaled(whole, channel, -1.0) for channel in channels]

    def change(name, value, written):
        return value + sum(each(name, value, written) - value for each in changes)

    for row in range(2):
        bare = plain(checkpoint, "gpt2", pairs.clean[[row]].tokens[0])
        expected, _, _ = run(bare, 4, pairs.metric.positions[row], change)
        assert_allclose(logits[row], expected, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"sender": "a9.0"}, SiteError, "there is no sender 'a9.0'"),
        ({"sender": "m1"}, SiteError, "m1 has no channels, as it is not a head"),
        ({"receiver": "k0.3"}, SiteError, "there is no receiver 'k0.3'"),
        ({"receiver": "logits"}, SiteError, "logits reads no channels"),
        ({"sender": "1.2", "receiver": "q1.0"}, OptionError, "q1.0 reads before a1.2 writes"),
        ({"components": (0, 8)}, OptionError, "a0.0 has 0 to 7, not 8"),
        ({"components": (-1,)}, OptionError, "components.0 = -1"),
        ({"factor": float("nan")}, OptionError, "factor = nan"),
    ],
)
def test_bad_names_are_one_line(tiny, options, kind, message):
    model = tiny("llama")
    with pytest.raises(kind, match=message) as error:
        channel_ablation(model, pairs_for(model, "llama"), **options)
    assert "\n" not in str(error.value)


def test_norms_on_the_stream_are_refused(tiny):
    model = tiny("bert-masked")
    with pytest.raises(EngineError, match="normalises the residual stream"):
        channel_ablation(model, pairs_for(model, "bert-masked"))


def test_no_direction_is_no_change(tiny):
    model = tiny("gpt2")
    assert not np.any(channel_ablation(model, pairs_for(model, "gpt2"), components=()).values("effect"))
