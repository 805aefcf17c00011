"""Circuits: chosen from scores as the definition says, edited, and written and read without loss."""

import json
import math
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from making import prompts_of

from interp.core.edges import CircuitEdge, circuit_facts
from interp.core.errors import OptionError, ResultError, SiteError
from interp.core.graph import ComputationGraph
from interp.core.result import Provenance
from interp.kinds import AttributionGraph, Circuit, EdgeScores, Effects

GRAPH = ComputationGraph(layers=3, heads=4, kv_heads=2)


def scores_of(values: np.ndarray, *, graph=GRAPH, lengths=(5, 5), how="resample") -> EdgeScores:
    """A result with these scores, `batch [pos] edge`."""
    prompts = prompts_of(lengths)
    senders, receivers = np.nonzero(graph.present)
    result = EdgeScores.of(
        prompts,
        {"score": values},
        "batch edge" if values.ndim == 2 else "batch pos edge",
        unit="logits",
        measured="effect",
        facts=circuit_facts(graph, prompts),
        sender=("edge", np.array(graph.senders, dtype=object)[senders]),
        receiver=("edge", np.array(graph.receivers, dtype=object)[receivers]),
    )
    return result.with_provenance(Provenance("eap", {"how": how}, "m", "ab", "cd", "logit(a)"))


def random_scores(seed=0, **more) -> EdgeScores:
    return scores_of(np.random.default_rng(seed).normal(size=(2, GRAPH.edge_count)), **more)


def by_hand(result: EdgeScores) -> dict[tuple[str, str], float]:
    mean = result.data["score"].values.mean(0)
    names = zip(result.data["sender"].values, result.data["receiver"].values, strict=True)
    return {ends: float(value) for ends, value in zip(names, mean, strict=True)}


def a_circuit() -> Circuit:
    found = Circuit.of(random_scores(), edges=40)
    return (
        found.labelled({"a1.2": 'na"me <b>mover</b>', "q2.0": "😀 é\n", "m0": "first"})
        .grouped("S-inhibition", ["a1.2", "a1.3"])
        .grouped("empty of edges", ["a0.0", "logits"])
        .pinned("logits", "a1.2", "embed")
    )


def test_the_strongest_edges():
    result = random_scores()
    found = Circuit.of(result, edges=17, prune=False)
    expected = sorted(by_hand(result).items(), key=lambda item: -abs(item[1]))[:17]
    assert {edge.ends[:2]: edge.score for edge in found.edges} == dict(expected)
    assert (found.model, found.weight_hash, found.method, found.metric) == ("m", "ab", "eap", "logit(a)")
    assert found.tokens == ("The", " keys", "\n", "🗝️", "<b>")
    assert len(found) == 17


def test_a_threshold():
    result = random_scores()
    found = Circuit.of(result, threshold=0.9, prune=False)
    assert {edge.ends[:2] for edge in found.edges} == {e for e, score in by_hand(result).items() if abs(score) >= 0.9}


@pytest.mark.parametrize("graph", [GRAPH, ComputationGraph(2, 3, 3, parallel=True)])
@pytest.mark.parametrize("count", [1, 5, 60, 10000])
def test_greedy_is_the_plain_loop(graph, count):
    """Each time the largest |score| among all edges into what the circuit already reaches."""
    result = scores_of(np.random.default_rng(1).normal(size=(2, graph.edge_count)), graph=graph)
    scores, chosen = by_hand(result), []
    while len(chosen) < count:
        reached = {"logits"}
        for sender, _ in chosen:
            reached |= set(graph.inputs_of(sender))
        open_ = [ends for ends in scores if ends[1] in reached and ends not in chosen]
        if not open_:
            break
        chosen.append(max(open_, key=lambda ends: abs(scores[ends])))
    found = Circuit.of(result, edges=count, extraction="greedy", prune=False)
    assert {edge.ends[:2] for edge in found.edges} == set(chosen)
    assert len(chosen) == min(count, graph.edge_count)


def test_pruning_is_the_graphs():
    found = Circuit.of(random_scores(), edges=25, prune=False)
    pruned = found.pruned()
    assert (pruned.mask == GRAPH.pruned(found.mask)).all()
    assert Circuit.of(random_scores(), edges=25) == pruned == pruned.pruned()
    zero = Circuit.of(random_scores(how="zero"), edges=25, prune=False)
    assert (zero.pruned().mask == GRAPH.pruned(zero.mask, resampled=False)).all()


def test_positions():
    values = np.random.default_rng(2).normal(size=(2, 5, GRAPH.edge_count))
    found = Circuit.of(scores_of(values), edges=30, prune=False)
    mean = values.mean(0)
    largest = set(np.argsort(-np.abs(mean), axis=None)[:30])
    senders, receivers = np.nonzero(GRAPH.present)
    expected = np.zeros((5, *GRAPH.present.shape), dtype=bool)
    for index in largest:
        pos, edge = divmod(int(index), GRAPH.edge_count)
        expected[pos, senders[edge], receivers[edge]] = True
    assert (found.mask == expected).all()
    assert list(found.to_frame().columns) == ["sender", "receiver", "score", "pos"]
    kept = found.pruned().mask
    assert (kept == expected & GRAPH.pruned(expected.any(0))).all()
    with pytest.raises(ResultError, match="no common positions"):
        Circuit.of(scores_of(values, lengths=(5, 3)))


def test_nodes_and_edits():
    edges = [("embed", "v0.1"), ("a0.2", "m1"), ("m1", "logits"), ("embed", "k0.1"), ("a0.3", "logits")]
    circuit = Circuit(GRAPH, tuple(CircuitEdge(*edge) for edge in edges))
    assert circuit.nodes == ("embed", "a0.2", "a0.3", "m1", "logits")
    assert {e.ends[:2] for e in circuit.without(nodes=["a0.2"]).edges} == {edges[0], edges[2], edges[3], edges[4]}
    assert {e.ends[:2] for e in circuit.without(nodes=["0.2", "a0.3"]).edges} == {edges[2]}
    assert {e.ends[:2] for e in circuit.without(nodes=["m1"], edges=[edges[0]]).edges} == {edges[3], edges[4]}


def test_what_is_shared():
    one, other = Circuit.of(random_scores(0), edges=60), Circuit.of(random_scores(1), edges=60)
    shared = one.shared_with(other)
    both = {e.ends for e in one.edges} & {e.ends for e in other.edges}
    assert {e.ends for e in shared.edges} == both
    assert shared.jaccard == len(both) / len({e.ends for e in one.edges} | {e.ends for e in other.edges})
    assert set(shared.nodes) == set(one.nodes) & set(other.nodes)
    assert one.shared_with(one).jaccard == one.shared_with(one).node_jaccard == 1
    with pytest.raises(ResultError, match="different models"):
        one.shared_with(replace(other, graph=ComputationGraph(4, 4, 2)))


def test_refusals():
    with pytest.raises(SiteError, match=r"m0 does not read m1"):
        Circuit(GRAPH, (CircuitEdge("m1", "m0"),))
    with pytest.raises(SiteError, match="no sender 'a9.9'"):
        a_circuit().pinned("a9.9")
    for say in (lambda text: a_circuit().labelled({"m0": text}), lambda text: a_circuit().grouped(text, ["m0"])):
        with pytest.raises(OptionError, match="lone surrogate"):
            say("\ud83d")
    with pytest.raises(OptionError, match="edges = 0"):
        Circuit.of(random_scores(), edges=0)
    with pytest.raises(OptionError, match="choose one of top, greedy"):
        Circuit.of(random_scores(), extraction="best")
    with pytest.raises(ResultError, match="Effects has no edges"):
        Circuit.of(Effects.of(prompts_of(), {"effect": np.zeros(2)}, "batch", unit="", measured=""))
    unsaid = random_scores()
    unsaid.data.attrs.pop("graph")
    with pytest.raises(ResultError, match="does not record the computation graph"):
        Circuit.of(unsaid)


def test_of_another_model():
    circuit = a_circuit()
    circuit.require_model(SimpleNamespace(name="other name", weight_hash="ab"))
    with pytest.raises(ResultError, match=r"found in m \(weights ab\), not in m \(weights xy\)") as caught:
        circuit.require_model(SimpleNamespace(name="m", weight_hash="xy"))
    assert "\n" not in str(caught.value)


# Files


@pytest.mark.parametrize("form", ["plain", "positions", "empty", "unscored"])
def test_a_round_trip_is_exact(form, tmp_path):
    circuit = a_circuit()
    if form == "positions":
        circuit = replace(circuit, edges=tuple(e._replace(pos=i % 3) for i, e in enumerate(circuit.edges)))
    if form == "empty":
        circuit = replace(circuit, edges=())
    if form == "unscored":
        circuit = replace(circuit, edges=(CircuitEdge("m0", "m1"), CircuitEdge("m0", "m2", math.inf)))
    read = Circuit.load(circuit.save(tmp_path / "c"))
    if form == "unscored":
        assert [edge.ends for edge in read.edges] == [edge.ends for edge in circuit.edges]
        assert all(math.isnan(edge.score) for edge in read.edges)
    else:
        assert read.edges == tuple(
            sorted(circuit.edges, key=lambda e: (GRAPH.receiver(e.receiver), GRAPH.sender(e.sender)))
        )
    same = {name: getattr(read, name) for name in circuit.__dataclass_fields__ if name != "edges"}
    assert same == {name: getattr(circuit, name) for name in same}
    assert list(read.supernodes) == list(circuit.supernodes)
    again = Circuit.load(read.save(tmp_path / "d.json"))
    assert (tmp_path / "c.json").read_bytes() == (tmp_path / "d.json").read_bytes() or form == "positions"
    assert again.to_graph() == read.to_graph()


def test_the_file_is_what_the_format_asks_for(tmp_path):
    """The required fields and types of the format, spelled out (Neuronpedia's and circuit-tracer's documentation)."""
    content = json.loads(a_circuit().save(tmp_path / "c").read_text())
    assert {"metadata", "qParams", "nodes", "links"} <= set(content)
    meta = content["metadata"]
    assert [type(meta[name]) for name in ("slug", "scan", "prompt", "prompt_tokens")] == [str, str, str, list]
    needed = {"node_id": str, "feature": int, "layer": str, "ctx_idx": int, "feature_type": str, "jsNodeId": str,
              "clerp": str}  # fmt: skip
    for node in content["nodes"]:
        assert {name: type(node[name]) for name in needed} == needed
    names = [node["node_id"] for node in content["nodes"]]
    assert len(set(names)) == len(names)
    for link in content["links"]:
        assert {"source", "target", "weight"} <= set(link)
        assert isinstance(link["weight"], float)
        assert {link["source"], link["target"]} <= set(names)
    state = content["qParams"]
    assert state["pinnedIds"] == ["logits", "a1.2", "embed"]
    assert state["supernodes"] == [["S-inhibition", "a1.2", "a1.3"], ["empty of edges", "a0.0", "logits"]]
    assert {"linkType", "clickedId", "sg_pos"} <= set(state)
    assert next(node for node in content["nodes"] if node["node_id"] == "embed")["layer"] == "E"


def tracer_file() -> dict:
    """A small file as circuit-tracer writes it, with fields that we do not know."""
    node = {"token_prob": 0.0, "is_target_logit": False, "run_idx": 0, "reverse_ctx_idx": 0, "clerp": ""}
    return {
        "metadata": {
            "slug": "s", "scan": "gemma-2-2b", "transcoder_list": [], "prompt_tokens": ["<bos>", "Hi"],
            "prompt": "<bos>Hi", "node_threshold": 0.8, "schema_version": 1,
            "info": {"creator_name": "x", "generator": {"name": "circuit-tracer"}},
            "generation_settings": {"max_n_logits": 5},
        },
        "qParams": {
            "pinnedIds": ["0_41_1"], "supernodes": [["capital", "0_41_1", "E_2_0"]], "linkType": "both",
            "clickedId": "0_41_1", "sg_pos": "",
        },
        "nodes": [
            {**node, "node_id": "E_2_0", "feature": 0, "layer": "E", "ctx_idx": 0, "feature_type": "embedding",
             "jsNodeId": "E_2-0", "influence": None},
            {**node, "node_id": "0_41_1", "feature": 902, "layer": "0", "ctx_idx": 1, "clerp": "say",
             "feature_type": "cross layer transcoder", "jsNodeId": "0_41-0", "influence": 0.25, "activation": 1.5},
            {**node, "node_id": "0_-1_1", "feature": -1, "layer": "0", "ctx_idx": 1,
             "feature_type": "mlp reconstruction error", "jsNodeId": "0_-1-1"},
            {**node, "node_id": "27_9_1", "feature": 9, "layer": "27", "ctx_idx": 1, "feature_type": "logit",
             "jsNodeId": "L_9-1", "token_prob": 0.5, "is_target_logit": True},
        ],
        "links": [
            {"source": "E_2_0", "target": "0_41_1", "weight": 12.964216232299805},
            {"source": "0_41_1", "target": "27_9_1", "weight": -1, "note": {"kept": [1]}},
        ],
        "more": [1, {"two": None}],
    }  # fmt: skip


def test_a_file_of_another_program_loses_nothing(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps(tracer_file()))
    graph = AttributionGraph.load(tmp_path / "t.json")
    assert json.loads(graph.save(tmp_path / "again").read_text()) == tracer_file()
    assert [node.kind for node in graph.nodes] == ["embed", "feature", "error", "logits"]
    assert [node.depth for node in graph.nodes] == [-1, 0, 0, 27]
    assert graph.labels == {"0_41_1": "say"}
    assert graph.supernodes == {"capital": ("0_41_1", "E_2_0")}
    assert list(graph.to_frame().itertuples(index=False, name=None)) == [
        ("E_2_0", "0_41_1", 12.964216232299805),
        ("0_41_1", "27_9_1", -1.0),
    ]
    drawn = graph.to_networkx()
    assert drawn.nodes["0_41_1"]["activation"] == 1.5
    assert drawn.edges["0_41_1", "27_9_1"]["note"] == {"kept": [1]}
    graph.require_model(SimpleNamespace(name="google/gemma-2-2b"))
    with pytest.raises(ResultError, match="to gemma-2-2b, not to gpt2"):
        graph.require_model(SimpleNamespace(name="gpt2"))
    with pytest.raises(ResultError, match="without heads and MLPs"):
        Circuit.load(tmp_path / "t.json")


def test_networkx_knows_the_same_paths():
    circuit = a_circuit()
    drawn = circuit.to_networkx()
    links = {(a, b) for a, b in drawn.edges if a[0] not in "qkv"}
    assert links == {edge.ends[:2] for edge in circuit.edges}
    assert all(drawn.edges[e.sender, e.receiver]["weight"] == e.score for e in circuit.edges)
    assert drawn.nodes["a1.2"]["clerp"] == 'na"me <b>mover</b>'
    import networkx

    reaches = {name for name in networkx.ancestors(drawn, "logits") if name in GRAPH.senders}
    assert reaches == set(circuit.nodes) - {"logits"}


def broken_files() -> dict[str, bytes]:
    whole = json.dumps(tracer_file()).encode()
    changed = tracer_file()
    changed["links"][0]["target"] = "nowhere"
    twice = tracer_file()
    twice["nodes"].append(twice["nodes"][0])
    unnamed = tracer_file()
    del unnamed["nodes"][1]["clerp"]
    words = tracer_file()
    words["links"][0]["weight"] = "1"
    return {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "pickle": pickle.dumps({"metadata": 1}),
        "binary": b"\x89HDF\r\n\x1a\n\xff",
        "a list": b"[1, 2]",
        "not finite": whole.replace(b"12.964216232299805", b"NaN"),
        "a link to nowhere": json.dumps(changed).encode(),
        "a node twice": json.dumps(twice).encode(),
        "a field missing": json.dumps(unnamed).encode(),
        "words for numbers": json.dumps(words).encode(),
        "deep": b"[" * 100000,
    }


@pytest.mark.parametrize("damage", broken_files())
def test_a_damaged_file_is_one_line(damage, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(broken_files()[damage])
    for load in (AttributionGraph.load, Circuit.load):
        with pytest.raises(ResultError, match="damaged or not an attribution graph") as caught:
            load(path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300 + len(str(path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ResultError, match="no graph at"):
        Circuit.load(tmp_path / "x.json")
    with pytest.raises(ResultError, match="is not a file name"):
        a_circuit().save("")
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match="cannot write"):
        a_circuit().save(tmp_path / "file" / "c.json")


def test_an_edge_that_the_file_s_own_graph_lacks(tmp_path):
    path = a_circuit().save(tmp_path / "c")
    content = json.loads(path.read_text())
    content["metadata"]["generation_settings"]["circuit"]["graph"]["layers"] = 1
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match="does not match its own computation graph"):
        Circuit.load(path)
