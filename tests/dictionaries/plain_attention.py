"""What a layer's attention reads, weighs and carries, and what had been written to it: from bare matrices, forwards."""

from types import SimpleNamespace

import torch
from plain_transformer import divisor, plain, rotated, softmax_row


def normed(x, norm):
    centred = x - x.mean(-1, keepdim=True) if norm.centred else x
    return centred / divisor(norm, x) * norm.weight + (0 if norm.bias is None else norm.bias)


def attended(model, layer, read):
    """Patterns, values and z of every query head."""
    patterns, values, z = [], [], []
    for head in range(len(layer.q)):
        q, k, v = (read @ m + (0 if b is None else b) for m, b in (layer.q[head], layer.k[head], layer.v[head]))
        q = rotated(q if layer.q_norm is None else normed(q, layer.q_norm), layer.rope)
        k = rotated(k if layer.k_norm is None else normed(k, layer.k_norm), layer.rope)
        rows = [softmax_row(q[pos], k, pos, layer, model.causal) for pos in range(len(q))]
        patterns.append(torch.stack(rows))
        values.append(v)
        z.append(patterns[-1] @ v)
    return patterns, values, z


def mlp(layer, read):
    hidden = layer.act(read @ layer.pre[0] + (0 if layer.pre[1] is None else layer.pre[1]))
    if layer.up is not None:
        hidden = hidden * (read @ layer.up[0] + (0 if layer.up[1] is None else layer.up[1]))
    return hidden @ layer.out[0] + (0 if layer.out[1] is None else layer.out[1])


class Written(dict):
    """Parts of the stream that add up to it."""

    @property
    def total(self):
        return sum(self.values())

    def through(self, norm):
        """Each part with the divisor of the whole; the shift is a part of its own."""
        scale, parts = divisor(norm, self.total), Written()
        for name, part in self.items():
            centred = part - part.mean(-1, keepdim=True) if norm.centred else part
            parts[name] = centred / scale * norm.weight
        if norm.bias is not None:
            parts["norm bias"] = parts.get("norm bias", 0) + norm.bias.expand_as(self.total)
        return parts


def at_layer(checkpoint, family, tokens, upto):
    """What attention of layer `upto` reads, in parts, and its patterns, values and z; every layer's z, too."""
    model = plain(checkpoint, family, tokens)
    stream, every_z = Written(embed=model.embed), []
    for index, layer in enumerate(model.layers[: upto + 1]):
        post = model.order == "post"
        read = stream if post else stream.through(layer.ln1)
        patterns, values, z = attended(model, layer, read.total)
        every_z.append(torch.stack(z, 1))
        if index == upto:
            return SimpleNamespace(
                parts=read, patterns=patterns, values=values, z=z, layer=layer, model=model, every_z=every_z
            )
        before = stream
        stream = Written(before)
        outputs = {f"a{index}.{head}": z[head] @ layer.o[head] for head in range(len(z))}
        if layer.o_bias is not None:
            stream["attention bias"] = stream.get("attention bias", 0) + layer.o_bias.expand_as(model.embed)
        if layer.ln1_post:
            scale = divisor(layer.ln1_post, sum(outputs.values()))
            outputs = {name: out / scale * layer.ln1_post.weight for name, out in outputs.items()}
        stream.update(outputs)
        if post:
            stream = stream.through(layer.ln1)
            stream[f"m{index}"] = mlp(layer, stream.total)
            stream = stream.through(layer.ln2)
            continue
        written = mlp(layer, normed(before.total if model.order == "parallel" else stream.total, layer.ln2))
        stream[f"m{index}"] = normed(written, layer.ln2_post) if layer.ln2_post else written
    raise AssertionError
