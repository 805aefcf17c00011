"""Runs of one prompt with edits, and statistics by definition, in plain loops."""

import numpy as np
import torch

from interp.models import Edit, Site


def next_token_loss(model, prompts, row, skip, edits=()):
    """Mean −log p(next token) of one prompt, from position `skip` on."""
    prompt = prompts[[row]]
    with torch.no_grad():
        logits = model.run(prompt, edits=list(edits)).logits[0].double()
    tokens = prompt.tokens[0].tolist()
    losses = [-float(logits[at].log_softmax(-1)[tokens[at + 1]]) for at in range(skip, len(tokens) - 1)]
    return np.array(losses)


def writes(model, prompt, layer, part):
    """The stream a part reads, and what it adds, of one prompt."""
    names = ("resid_pre", "resid_post", "attn_write", "mlp_write")
    with torch.no_grad():
        trace = model.run(prompt, record=[Site(name, layer) for name in names])
    pre, post, attention, mlp = (trace[Site(name, layer)] for name in names)
    if part == "block":
        return pre, post - pre
    if part == "attention":
        return pre, attention
    return (pre if model.layer_map.parallel else post - mlp), mlp


def added(layer, part, function):
    """Edits in which a part adds what `function` makes of what the run has there."""
    if part == "block":
        seen = {}
        return [
            Edit.through(Site("resid_pre", layer), lambda x: seen.update(x=x)),
            Edit.through(Site("resid_post", layer), lambda _: seen["x"] + function(seen["x"])),
        ]
    site = Site("attn_write" if part == "attention" else "mlp_write", layer)
    seen = {}
    reads = Site("resid_pre", layer) if part == "attention" else Site("resid_mid", layer)
    return [
        Edit.through(reads, lambda x: seen.update(x=x)),
        Edit.through(site, lambda write: function(seen["x"]).to(write)),
    ]
