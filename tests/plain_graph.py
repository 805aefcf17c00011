"""The computation graph by its definition, over bare matrices in float64: every receiver reads a sum of its own.

`run` gives each receiver what it reads (`pos d`), after `change(receiver, value, written)` has had its say; `written`
holds what every sender wrote so far. Loops over layers, heads and positions; nothing here comes from the package.
"""

import torch
from plain_transformer import divisor, expert_outputs, rotated, softmax_row


def normed(x, norm):
    if norm is None:
        return x
    centred = x - x.mean(-1, keepdim=True) if norm.centred else x
    out = centred / divisor(norm, x) * norm.weight
    return out if norm.bias is None else out + norm.bias


def affine(x, matrix, bias):
    return x @ matrix if bias is None else x @ matrix + bias


def looking(model, layer, head, query, key, value):
    """A head's attention (`query key`) and values, from what its query, key and value read after the first norm."""
    query, key = normed(affine(query, *layer.q[head]), layer.q_norm), normed(affine(key, *layer.k[head]), layer.k_norm)
    query, key, value = rotated(query, layer.rope), rotated(key, layer.rope), affine(value, *layer.v[head])
    pattern = torch.stack([softmax_row(query[pos], key, pos, layer, model.causal) for pos in range(len(query))])
    return pattern, value


def attention_writes(model, layer, reads):
    """What every head adds to the stream; `reads` are (query, key, value) inputs of each."""
    out = []
    for head in range(len(layer.q)):
        inside = [normed(x, layer.ln1) for x in reads[head]]
        pattern, value = looking(model, layer, head, *inside)
        out.append(pattern @ value @ layer.o[head])
    if layer.ln1_post:
        scale = divisor(layer.ln1_post, sum(out))
        out = [each / scale * layer.ln1_post.weight for each in out]
    return out


def expert_writes(layer, x):
    """What each expert adds, position by position; 0 where it does not take the token."""
    x = normed(x, layer.ln2)
    weights = [torch.stack(each) for each in zip(*map(layer.weights, x), strict=True)]
    return [weight[:, None] * out for weight, out in zip(weights, expert_outputs(layer, x), strict=True)]


def mlp_write(layer, x):
    x = normed(x, layer.ln2)
    neurons = layer.act(affine(x, *layer.pre))
    if layer.up is not None:
        neurons = neurons * affine(x, *layer.up)
    return normed(affine(neurons, *layer.out), layer.ln2_post)


def run(model, kv_heads, position, change=lambda receiver, value, written: value, embed=None):
    """(logits at `position`, what each sender wrote, what each receiver read)."""
    embed = model.embed if embed is None else embed
    stream, written, read = embed, {"embed": embed}, {}

    def reads(name):
        read[name] = change(name, stream, written)
        return read[name]

    for index, layer in enumerate(model.layers):
        heads = len(layer.q)
        group = heads // kv_heads
        queries = [reads(f"q{index}.{head}") for head in range(heads)]
        keys, values = ([reads(f"{kind}{index}.{head}") for head in range(kv_heads)] for kind in "kv")
        inputs = [(queries[head], keys[head // group], values[head // group]) for head in range(heads)]
        into_mlp = reads(f"m{index}") if model.order == "parallel" else None
        for head, out in enumerate(attention_writes(model, layer, inputs)):
            written[f"a{index}.{head}"] = out
            stream = stream + out
        stream = stream if layer.o_bias is None else stream + layer.o_bias
        into_mlp = reads(f"m{index}") if into_mlp is None else into_mlp
        if hasattr(layer, "experts"):
            mlp = {f"E{index}.{expert}": write for expert, write in enumerate(expert_writes(layer, into_mlp))}
        else:
            mlp = {f"m{index}": mlp_write(layer, into_mlp)}
        written |= mlp
        stream = stream + sum(mlp.values())
    last = normed(reads("logits"), model.head.norm)[position]
    return affine(last, *model.head.unembed), written, read
