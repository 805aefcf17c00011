"""Every tiny family as bare matrices, and a decomposed forward pass over them with nothing but loops, in float64.

Read straight from the Hugging Face modules; nothing here comes from the package. Parts are a list of tensors `pos d`
that add up to the activation; the rules say what becomes of the list at each kind of module.
"""

import math
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace

import torch
from configurations import family_of


@dataclass
class Plain:
    """A model: `embed` (what enters the first layer), layers of matrices, and a head."""

    order: str
    embed: torch.Tensor
    layers: list = field(default_factory=list)
    head: SimpleNamespace | None = None
    causal: bool = True


def lin(module, rows=slice(None)):
    """(matrix rows-in-columns-out, bias) of a Linear; `rows` picks outputs."""
    bias = None if module.bias is None else module.bias[rows]
    return module.weight[rows].T, bias


def conv(module, columns=slice(None)):
    return module.weight[:, columns], module.bias[columns]


def layer_norm(module):
    return SimpleNamespace(weight=module.weight, bias=module.bias, eps=module.eps, centred=True)


def rms_norm(module, offset=0.0):
    eps = getattr(module, "variance_epsilon", None) or module.eps
    return SimpleNamespace(weight=module.weight + offset, bias=None, eps=eps, centred=False)


def plain(checkpoint, family: str, tokens: torch.Tensor) -> Plain:
    """The family's checkpoint in float64, with the embeddings of `tokens` (one prompt)."""
    model = hugging_face(family, checkpoint(family))
    read = {"gpt2": gpt2, "gptneox": neox, "phi": phi, "bert-classifier": bert, "bert-masked": bert}
    return read.get(family, llama_like)(model, tokens)


@cache
def hugging_face(family: str, folder):
    model = family_of(family).model.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager", experts_implementation="eager"
    )
    return model.eval().requires_grad_(False)


def llama_like(model, tokens) -> Plain:
    core, config = model.model, model.config
    gemma = "gemma" in config.model_type
    after = "exaone" in config.model_type  # norms after attention and MLP only, and rotation in windowed layers only
    offset = 1.0 if gemma else 0.0
    act = (lambda x: torch.nn.functional.gelu(x, approximate="tanh")) if gemma else torch.nn.functional.silu
    embed = core.embed_tokens.weight[tokens] * (math.sqrt(config.hidden_size) if gemma else 1.0)
    found = Plain("sandwich" if gemma else "after" if after else "pre", embed)
    size, group = config.head_dim, config.num_attention_heads // config.num_key_value_heads
    for index, block in enumerate(core.layers):
        a, sliding = block.self_attn, (gemma or after) and config.layer_types[index] == "sliding_attention"
        parameters = config.rope_parameters
        if gemma:
            parameters = parameters["sliding_attention" if sliding else "full_attention"]
        cut = [slice(h * size, (h + 1) * size) for h in range(config.num_attention_heads)]
        layer = SimpleNamespace(
            q=[lin(a.q_proj, c) for c in cut],
            k=[lin(a.k_proj, cut[h // group]) for h in range(len(cut))],
            v=[lin(a.v_proj, cut[h // group]) for h in range(len(cut))],
            o=[a.o_proj.weight[:, c].T for c in cut],
            o_bias=None,
            q_norm=rms_norm(a.q_norm, offset) if hasattr(a, "q_norm") else None,
            k_norm=rms_norm(a.k_norm, offset) if hasattr(a, "k_norm") else None,
            rope=(size, parameters["rope_theta"]) if sliding or not after else None,
            window=config.sliding_window if sliding else None,
            scale=size**-0.5,
            ln1=None if after else rms_norm(block.input_layernorm, offset),
            ln2=None
            if after
            else rms_norm(block.pre_feedforward_layernorm if gemma else block.post_attention_layernorm, offset),
            ln1_post=rms_norm(block.post_attention_layernorm, offset) if gemma or after else None,
            ln2_post=rms_norm(block.post_feedforward_layernorm, offset) if gemma or after else None,
            act=act,
            **(mixture(block.mlp, config) if hasattr(core.layers[-1].mlp, "experts") else gated(block.mlp)),
        )
        found.layers.append(layer)
    found.head = SimpleNamespace(kind="lm", norm=rms_norm(core.norm, offset), unembed=lin(model.lm_head))
    return found


def gated(mlp) -> dict:
    return {"pre": lin(mlp.gate_proj), "up": lin(mlp.up_proj), "out": lin(mlp.down_proj)}


def mixture(mlp, config) -> dict:
    """`experts`: matrices as `gated` gives them, with `weights(x)` of one position's vector: one number an expert.

    The shared expert is the last, and so is the MLP of a layer without a router; where the weight of the last depends
    on nothing, `constant` is its number.
    """
    last = getattr(mlp, "shared_expert", None) or (mlp if hasattr(mlp, "gate_proj") else None)
    count = getattr(config, "num_experts", None) or config.num_local_experts
    experts = []
    for index in range(count) if hasattr(mlp, "experts") else ():
        half = len(mlp.experts.gate_up_proj[index]) // 2
        parts = mlp.experts.gate_up_proj[index].split(half)
        matrices = {"pre": parts[0].T, "up": parts[1].T, "out": mlp.experts.down_proj[index].T}
        experts.append(SimpleNamespace(**{name: (matrix, None) for name, matrix in matrices.items()}))
    experts += [None] * (count - len(experts))
    experts += [SimpleNamespace(**gated(last))] if last is not None else []

    def weights(x):
        out = [torch.zeros((), dtype=x.dtype)] * len(experts)
        if hasattr(mlp, "experts"):
            probabilities = (mlp.gate.weight @ x).softmax(-1)
            best = sorted(range(count), key=lambda e: -probabilities[e].item())[: config.num_experts_per_tok]
            whole = sum(probabilities[e] for e in best) if getattr(config, "norm_topk_prob", True) else 1
            for e in best:
                out[e] = probabilities[e] / whole
        if last is not None:
            own = getattr(mlp, "shared_expert_gate", None)
            out[-1] = torch.ones(()).to(x) if own is None else torch.sigmoid(own.weight[0] @ x)
        return out

    constant = None if last is None or hasattr(mlp, "shared_expert_gate") else len(experts) - 1
    return {"experts": experts, "weights": weights, "constant": constant}


def expert_outputs(layer, x) -> list:
    """What every expert writes before its weight, of positions `x`; 0 for one that is not there."""
    return [
        torch.zeros_like(x) if e is None else (layer.act(x @ e.pre[0]) * (x @ e.up[0])) @ e.out[0]
        for e in layer.experts
    ]


def bare(**given) -> SimpleNamespace:
    nothing = dict.fromkeys(("q_norm", "k_norm", "rope", "window", "ln1_post", "ln2_post", "up"))
    return SimpleNamespace(**{**nothing, **given})


def gpt2(model, tokens) -> Plain:
    core, config = model.transformer, model.config
    width, size = config.n_embd, config.n_embd // config.n_head
    found = Plain("pre", core.wte.weight[tokens] + core.wpe.weight[: len(tokens)])
    for block in core.h:
        cut = [slice(h * size, (h + 1) * size) for h in range(config.n_head)]
        third = [[slice(i * width + c.start, i * width + c.stop) for c in cut] for i in range(3)]
        q, k, v = ([conv(block.attn.c_attn, c) for c in cuts] for cuts in third)
        layer = bare(
            q=q, k=k, v=v, o=[block.attn.c_proj.weight[c] for c in cut], o_bias=block.attn.c_proj.bias,
            scale=size**-0.5, ln1=layer_norm(block.ln_1), ln2=layer_norm(block.ln_2),
            pre=conv(block.mlp.c_fc), out=conv(block.mlp.c_proj),
            act=lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        )  # fmt: skip
        found.layers.append(layer)
    found.head = SimpleNamespace(kind="lm", norm=layer_norm(core.ln_f), unembed=lin(model.lm_head))
    return found


def neox(model, tokens) -> Plain:
    core, config = model.gpt_neox, model.config
    size = config.hidden_size // config.num_attention_heads
    found = Plain("parallel", core.embed_in.weight[tokens])
    for block in core.layers:
        a, heads = block.attention, range(config.num_attention_heads)
        q, k, v = (
            [lin(a.query_key_value, slice((3 * h + i) * size, (3 * h + i + 1) * size)) for h in heads] for i in range(3)
        )
        layer = bare(
            q=q, k=k, v=v, o=[a.dense.weight[:, h * size : (h + 1) * size].T for h in heads], o_bias=a.dense.bias,
            rope=(int(size * config.rope_parameters["partial_rotary_factor"]), config.rope_parameters["rope_theta"]),
            scale=size**-0.5, ln1=layer_norm(block.input_layernorm), ln2=layer_norm(block.post_attention_layernorm),
            pre=lin(block.mlp.dense_h_to_4h), out=lin(block.mlp.dense_4h_to_h), act=torch.nn.functional.gelu,
        )  # fmt: skip
        found.layers.append(layer)
    found.head = SimpleNamespace(
        kind="lm", norm=layer_norm(core.final_layer_norm), unembed=lin(model.get_output_embeddings())
    )
    return found


def phi(model, tokens) -> Plain:
    core, config = model.model, model.config
    size, group = config.hidden_size // config.num_attention_heads, 2
    found = Plain("parallel", core.embed_tokens.weight[tokens])
    for block in core.layers:
        a, cut = block.self_attn, [slice(h * size, (h + 1) * size) for h in range(config.num_attention_heads)]
        norm, rope = layer_norm(block.input_layernorm), config.rope_parameters
        layer = bare(
            q=[lin(a.q_proj, c) for c in cut],
            k=[lin(a.k_proj, cut[h // group]) for h in range(len(cut))],
            v=[lin(a.v_proj, cut[h // group]) for h in range(len(cut))],
            o=[a.dense.weight[:, c].T for c in cut], o_bias=a.dense.bias,
            rope=(int(size * rope["partial_rotary_factor"]), rope["rope_theta"]), scale=size**-0.5, ln1=norm, ln2=norm,
            pre=lin(block.mlp.fc1), out=lin(block.mlp.fc2),
            act=lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        )  # fmt: skip
        found.layers.append(layer)
    found.head = SimpleNamespace(kind="lm", norm=layer_norm(core.final_layernorm), unembed=lin(model.lm_head))
    return found


def bert(model, tokens) -> Plain:
    config, e = model.config, model.bert.embeddings
    size = config.hidden_size // config.num_attention_heads
    summed = e.word_embeddings.weight[tokens] + e.position_embeddings.weight[: len(tokens)]
    found = Plain("post", e.LayerNorm(summed + e.token_type_embeddings.weight[0]), causal=False)
    for block in model.bert.encoder.layer:
        a, out = block.attention.self, block.attention.output
        cut = [slice(h * size, (h + 1) * size) for h in range(config.num_attention_heads)]
        layer = bare(
            q=[lin(a.query, c) for c in cut], k=[lin(a.key, c) for c in cut], v=[lin(a.value, c) for c in cut],
            o=[out.dense.weight[:, c].T for c in cut], o_bias=out.dense.bias, scale=size**-0.5,
            ln1=layer_norm(out.LayerNorm), ln2=layer_norm(block.output.LayerNorm),
            pre=lin(block.intermediate.dense), out=lin(block.output.dense), act=torch.nn.functional.gelu,
        )  # fmt: skip
        found.layers.append(layer)
    if hasattr(model, "classifier"):
        found.head = SimpleNamespace(kind="class", dense=lin(model.bert.pooler.dense), unembed=lin(model.classifier))
    else:
        transform = model.cls.predictions.transform
        found.head = SimpleNamespace(
            kind="masked", dense=lin(transform.dense), norm=layer_norm(transform.LayerNorm),
            act=torch.nn.functional.gelu, unembed=lin(model.cls.predictions.decoder),
        )  # fmt: skip
    return found


def rotated(x, rope):
    """One position after another, one pair after another."""
    if rope is None:
        return x
    size, theta = rope
    out = x.clone()
    for pos in range(len(x)):
        for i in range(size // 2):
            angle = pos * theta ** (-2 * i / size)
            a, b = x[pos, i], x[pos, i + size // 2]
            out[pos, i] = a * math.cos(angle) - b * math.sin(angle)
            out[pos, i + size // 2] = b * math.cos(angle) + a * math.sin(angle)
    return out


def visible(query, key, causal, window):
    if not causal:
        return True
    return key <= query and (window is None or query - key < window)


def softmax_row(query, keys, pos, layer, causal):
    """The attention of one query over all keys; 0 where it may not see."""
    row = torch.zeros(len(keys), dtype=torch.float64)
    seen = [j for j in range(len(keys)) if visible(pos, j, causal, layer.window)]
    scores = torch.stack([query @ keys[j] * layer.scale for j in seen])
    row[seen] = scores.softmax(-1)
    return row


def divisor(norm, total):
    centred = total - total.mean(-1, keepdim=True) if norm.centred else total
    return ((centred**2).mean(-1, keepdim=True) + norm.eps).sqrt()


def walk(model: Plain, parts: list, rules, position: int, see=lambda name, layer, parts: parts) -> list:
    """The parts of the logits at `position`; `see` is shown every site and may replace its parts."""
    parts = see("resid_pre", 0, parts)
    for index, layer in enumerate(model.layers):
        see_experts = lambda parts, i=index: see("expert_write", i, parts)  # noqa: E731
        after_norm = parts if layer.ln1 is None or model.order == "post" else rules.norm(parts, layer.ln1)
        attended = see("attn_out", index, attention(model, layer, after_norm, rules, lambda p, i=index: see("z", i, p)))
        if model.order == "post":
            parts = see("resid_mid", index, rules.norm(added(parts, attended), layer.ln1))
            parts = rules.norm(added(parts, see("mlp_out", index, mlp(layer, parts, rules, see_experts))), layer.ln2)
        elif model.order == "parallel":
            written = see("mlp_out", index, mlp(layer, rules.norm(parts, layer.ln2), rules, see_experts))
            parts = added(added(parts, attended), written)
        else:
            if layer.ln1_post:
                attended = rules.norm(attended, layer.ln1_post)
            parts = see("resid_mid", index, added(parts, attended))
            into_mlp = rules.norm(parts, layer.ln2) if layer.ln2 else parts
            written = see("mlp_out", index, mlp(layer, into_mlp, rules, see_experts))
            if layer.ln2_post:
                written = rules.norm(written, layer.ln2_post)
            parts = added(parts, written)
        parts = see("resid_post", index, parts)
    parts, head = [part[[position]] for part in parts], model.head
    if head.kind == "class":
        parts = rules.act(rules.linear(parts, *head.dense), torch.tanh)
    else:
        if head.kind == "masked":
            parts = rules.act(rules.linear(parts, *head.dense), head.act)
        parts = rules.norm(parts, head.norm)
    return [part[0] for part in rules.linear(parts, *head.unembed)]


def attention(model, layer, parts, rules, see_z) -> list:
    """Head by head; the heads' outputs are put side by side, so that the output bias is split once."""
    heads = [rules.head(model, layer, parts, head) for head in range(len(layer.q))]
    z = see_z([torch.stack([head[k] for head in heads], 1) for k in range(len(parts))])
    return rules.output(layer, z, parts, heads)


def mlp(layer, parts, rules, see_experts) -> list:
    """In a mixture, expert by expert: the router's weights are those of the whole."""
    if not hasattr(layer, "experts"):
        return gated_map(layer, parts, rules, layer.act)
    weights = torch.stack([torch.stack(layer.weights(x)) for x in sum(parts)])
    nothing = [torch.zeros_like(part) for part in parts]
    outs = [nothing if e is None else gated_map(e, parts, rules, layer.act) for e in layer.experts]
    writes = [torch.stack([out[k] for out in outs], 1) * weights[..., None] for k in range(len(parts))]
    return [part.sum(1) for part in see_experts(writes)]


def gated_map(layer, parts, rules, act) -> list:
    pre = rules.linear(parts, *layer.pre)
    if layer.up is None:
        neurons = rules.act(pre, act)
    else:
        neurons = rules.product(rules.act(pre, act), rules.linear(parts, *layer.up))
    return rules.linear(neurons, *layer.out)


def added(left, right) -> list:
    return [a + b for a, b in zip(left, right, strict=True)]
