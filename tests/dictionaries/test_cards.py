"""Cards against pandas on the dense activations, and against the weights in float64."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from asking import CAUSAL
from tiny import FAMILIES

from interp import Prompts, Site, dictionaries
from interp.core.errors import CorpusError, DictionaryError, OptionError
from interp.core.folders import RunFolder
from interp.core.progress import reporting
from interp.corpus import Windows
from interp.dictionaries.cards.harvesting import harvest
from interp.dictionaries.cards.queries import Cards
from interp.dictionaries.cards.writing import BINS, QUANTILES, write_cards
from interp.dictionaries.features.logit_weights import head_weights, promoted

TEXT = (
    "When Mary and John went to the store, John gave a drink to Mary. The keys to the cabinet are lent to Mary. " * 40
)


@pytest.fixture
def windows(tiny, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return Windows.cut(tiny("llama"), str(tmp_path / "text.txt"), windows=12, length=24)


@pytest.fixture
def attached(tiny):
    """Features of many densities: one is never active, one always."""
    model = tiny("llama")
    found = dictionaries.attached(model)
    with torch.no_grad():
        found.sae.threshold.copy_(torch.linspace(0.01, 1.5, 24))
        found.sae.threshold[3] = 1e6
        found.sae.b_enc[4], found.sae.threshold[4] = 50.0, 0.0
    return found


def dense(attached, windows) -> pd.DataFrame:
    """Every place and feature, first positions left out: window, pos, feature, value."""
    features = attached.features(windows)[:, 1:]
    index = pd.MultiIndex.from_product([range(size) for size in features.shape], names=["window", "pos", "feature"])
    table = pd.DataFrame({"value": features.flatten().numpy()}, index=index).reset_index()
    return table.assign(pos=table["pos"] + 1)


@pytest.mark.parametrize("rows", [2**22, 50])
def test_numbers_of_every_feature(attached, windows, tmp_path, monkeypatch, rows):
    """However many features are looked at together."""
    monkeypatch.setattr("interp.dictionaries.cards.writing.ROWS", rows)
    windows = windows[windows.distinct()]
    cards = write_cards(attached, harvest(attached, windows, tmp_path / "f", shard=3))
    table = dense(attached, windows)
    assert cards.facts["tokens_read"] == len(windows) * 23
    dead = 0
    for feature, values in table.groupby("feature")["value"]:
        card, active = cards.card(int(feature)), values[values > 0]
        assert card["density"] == len(active) / len(values)
        assert card["dead"] == (len(active) == 0)
        if not len(active):
            dead += 1
            assert np.isnan(card["mean"])
            assert np.isnan(card["max"])
            assert card["histogram"].sum() == 0
            assert card["top_token"] is None or pd.isna(card["top_token"])
            continue
        assert card["mean"] == pytest.approx(active.mean(), rel=1e-5)
        assert card["max"] == active.max()
        cells = pd.cut(active.astype(float), np.linspace(0, float(active.max()), BINS + 1), right=False, labels=False)
        counts = cells.fillna(BINS - 1).value_counts().reindex(range(BINS), fill_value=0)
        assert np.abs(card["histogram"] - counts.to_numpy()).sum() <= 2  # a value on an edge may fall either way
        assert card["histogram"].sum() == len(active)
        expected = [np.quantile(active, quantile, method="lower") for quantile in QUANTILES]
        np.testing.assert_array_equal(card["quantiles"], expected)
    assert dead
    assert cards.card(4)["density"] == 1


def test_contexts(attached, windows, tmp_path):
    windows = windows[windows.distinct()]
    cards = write_cards(attached, harvest(attached, windows, tmp_path / "f", shard=5), contexts=4)
    table = dense(attached, windows)
    for feature, rows in table[table["value"] > 0].groupby("feature"):
        best = rows.sort_values(["value", "pos"], ascending=[False, True]).groupby("window").head(1)
        best = best.sort_values(["value", "window"], ascending=[False, True]).head(4)
        found = cards.contexts(int(feature), around=3)
        top = found[found["kind"] == "top"]
        assert (
            top[["window", "pos", "value"]].to_numpy().tolist() == best[["window", "pos", "value"]].to_numpy().tolist()
        )
        assert top["rank"].tolist() == list(range(len(best)))
        ordered = rows.sort_values(["value", "window", "pos"])
        quantile = found[found["kind"] == "quantile"]
        expected = ordered.iloc[[int(np.floor(q * (len(rows) - 1) + 1e-9)) for q in QUANTILES]]
        assert quantile[["window", "pos"]].to_numpy().tolist() == expected[["window", "pos"]].to_numpy().tolist()
        activations = rows.set_index(["window", "pos"])["value"]
        for row in found.to_dict("records"):
            label = windows.labels[row["window"]]
            span = range(max(0, row["pos"] - 3), min(24, row["pos"] + 4))
            assert row["start"] == span.start
            assert row["labels"] == [label[at] for at in span]
            assert row["values"] == [activations.get((row["window"], at), 0.0) for at in span]
            assert (row["token"], row["label"]) == (int(windows.tokens[row["window"], row["pos"]]), label[row["pos"]])


def test_search(attached, windows, tmp_path):
    cards = write_cards(attached, harvest(attached, windows, tmp_path / "f"))
    every = cards.cards()
    assert every["feature"].tolist() == list(range(24))
    alive = every[~every["dead"]]
    assert (
        cards.search()["feature"].tolist()
        == alive.sort_values(["density", "feature"], ascending=[False, True])["feature"].tolist()
    )
    some = cards.search(min_density=0.1, max_density=0.5, order="max", limit=3)
    expected = alive[alive["density"].between(0.1, 0.5)].sort_values("max", ascending=False).head(3)
    assert some["feature"].tolist() == expected["feature"].tolist()
    places, token = cards.places(kind=None), " Mary"
    on_token = set(places[places["label"].str.strip() == "Mary"]["feature"])
    promoting = {row["feature"] for row in every.to_dict("records") if "Mary" in map(str.strip, row["promoted"])}
    found = cards.search(token, order="feature", limit=100)
    assert set(found["feature"]) == (on_token | promoting) & set(alive["feature"])
    assert found["feature"].is_monotonic_increasing
    head = int(alive["head"].iloc[0])
    assert set(cards.search(head=head)["feature"]) == set(alive[alive["head"] == head]["feature"])
    assert 3 in cards.search(alive=False)["feature"].tolist()
    for order in ("max", "mean"):
        ordered = cards.search(alive=False, order=order)["feature"].tolist()
        assert ordered == every.sort_values([order, "feature"], ascending=[False, True])["feature"].tolist()
        assert ordered[-1] == 3
    assert cards.cards((7, 2))["feature"].tolist() == [7, 2]
    assert cards.search("no ' such \" token").empty
    for refused in (lambda: cards.card(24), lambda: cards.contexts(-1), lambda: cards.search(order="x; DROP")):
        with pytest.raises(OptionError):
            refused()


def test_cards_of_a_harvest_that_is_not_finished(attached, windows, tmp_path):
    """They say of how much, and are made anew when there is more."""
    windows = windows[windows.distinct()]
    whole = harvest(attached, windows, tmp_path / "f", shard=2)
    with pytest.raises(CorpusError, match="holds no cards"):
        Cards.open(whole.folder)
    last = whole.path(whole.shards[-1])
    kept = last.read_bytes()
    last.unlink()
    cards = write_cards(attached, whole)
    assert f"{whole.all_shards - 1} of {whole.all_shards} shards" in cards.covers
    table = dense(attached, windows[: 2 * (whole.all_shards - 1)])
    assert cards.card(0)["density"] == pytest.approx((table[table["feature"] == 0]["value"] > 0).mean())
    last.write_bytes(kept)
    again = write_cards(attached, whole)
    assert "not finished" not in again.covers
    stamp = (whole.folder / "cards.parquet").stat().st_mtime_ns
    write_cards(attached, whole)
    assert (whole.folder / "cards.parquet").stat().st_mtime_ns == stamp
    for shard in whole.shards:
        whole.path(shard).unlink()
    with pytest.raises(CorpusError, match="no complete shard"):
        write_cards(attached, whole)


def test_another_writer_waits_its_turn(attached, windows, tmp_path):
    """While cards are written nobody else writes there or sweeps it, and the cards are those that were asked for."""
    found = harvest(attached, windows, tmp_path / "f")
    begun, refused = found.folder / ".begun.unfinished", []

    def meanwhile(label, done, total):
        begun.touch()
        with pytest.raises(CorpusError, match="another process is writing"):
            write_cards(attached, found, contexts=2)
        with pytest.raises(CorpusError, match="another process is writing"):
            harvest(attached, windows, found.folder)
        refused.append(label)
        assert begun.exists()

    with reporting(meanwhile):
        cards = write_cards(attached, found, contexts=8)
    assert refused
    written = cards.places(kind="top").groupby("feature").size()
    active = dense(attached, windows[windows.distinct()]).query("value > 0")
    assert written.to_dict() == active.groupby("feature")["window"].nunique().clip(upper=8).to_dict()
    assert written.max() > 2
    with RunFolder(found.folder).locked():  # readers take no lock
        assert write_cards(attached, found, contexts=2).facts["contexts"] == 8


def test_written_by_another_process_meanwhile(attached, windows, tmp_path, monkeypatch):
    """Cards that came between the first look and the lock are taken."""
    found, through = harvest(attached, windows, tmp_path / "f"), RunFolder.locked

    def late(folder):
        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "locked", through)
            write_cards(attached, found, contexts=8)
        return through(folder)

    monkeypatch.setattr(RunFolder, "locked", late)
    assert write_cards(attached, found, contexts=2).facts["contexts"] == 8


@pytest.mark.parametrize("content", ["{", "[]", "3", "{}"])
def test_a_damaged_record_of_cards(attached, windows, tmp_path, content):
    """Whoever reads is told; whoever writes makes them anew."""
    found = harvest(attached, windows, tmp_path / "f")
    plain = write_cards(attached, found).cards()
    (found.folder / "cards.json").write_text(content)
    with pytest.raises(CorpusError, match="cards.json is damaged"):
        Cards.open(found.folder)
    pd.testing.assert_frame_equal(write_cards(attached, found).cards(), plain)


def everything_of(cards):
    """Every file is read."""
    return cards.search("Mary"), cards.contexts(4)


def test_damaged_files(attached, windows, tmp_path):
    """One line names the file and what to remove; after that it is made again."""
    found = harvest(attached, windows, tmp_path / "f", shard=4)
    plain = write_cards(attached, found)
    card, contexts = plain.cards(), plain.contexts(4)
    for path, remedy in (
        (found.folder / "cards.parquet", "it"), (found.folder / "contexts.parquet", "it"), (found.path(1), "it"),
        (found.text, found.folder),
    ):  # fmt: skip
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(CorpusError) as caught:
            everything_of(Cards.open(found.folder))
        said = str(caught.value)
        assert said.startswith(f"{path} is damaged (")
        assert said.endswith(f"; remove {remedy} and run again")
        assert "\n" not in said
        if path == found.path(1):
            (found.folder / "cards.json").unlink()
            with pytest.raises(CorpusError, match=f"{path} is damaged"):
                write_cards(attached, found)
        if remedy == "it":
            path.unlink()
        else:
            shutil.rmtree(remedy)
        again = write_cards(attached, harvest(attached, windows, found.folder, shard=4))
        pd.testing.assert_frame_equal(again.cards(), card)
        pd.testing.assert_frame_equal(again.contexts(4), contexts)


def test_nothing_active(attached, tmp_path):
    with torch.no_grad():
        attached.sae.threshold.fill_(1e6)
    cards = write_cards(attached, harvest(attached, Prompts.of(attached.model, "The keys"), tmp_path / "f"))
    assert cards.cards()["dead"].all()
    assert cards.search().empty
    assert cards.contexts(0).empty


def test_cards_of_another_dictionary(attached, windows, tmp_path):
    found = harvest(attached, windows, tmp_path / "f")
    with torch.no_grad():
        attached.sae.b_enc[0] += 1
    with pytest.raises(DictionaryError, match="not of"):
        write_cards(attached, found)


# From the weights


@pytest.mark.parametrize("family", CAUSAL)
def test_promoted_tokens(tiny, family):
    """W_dec W_O, the norm after attention where there is one, the last norm's factor, W_U: in float64, head by head."""
    model = tiny(family)
    attached = dictionaries.attached(model)
    up, down = promoted(attached, 5)
    weights, dims = model.weights, model.dims
    rows = attached.sae.W_dec.double()
    for feature in (0, 7, 23):
        stream = torch.zeros(dims.d_model, dtype=torch.float64)
        for head in range(dims.heads):
            part = rows[feature, head * dims.d_head : (head + 1) * dims.d_head]
            stream += part @ weights.output(1)[head].double()
        if model.architecture.stream == "sandwich":
            stream = stream * weights.norm("ln1_post", 1)[0].double()
        if model.architecture.norm == "layer":
            stream = stream - stream.mean()
        logits = (stream * weights.norm("ln_final")[0].double()) @ weights.unembedding().double()
        order = logits.argsort(descending=True)
        assert up.token[feature].tolist() == order[:5].tolist()
        assert down.token[feature].tolist() == order.flip(0)[:5].tolist()
        torch.testing.assert_close(up.weight[feature].double(), logits[order[:5]], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("site", ["resid_post", "mlp_post", "mlp_write", "attn_write"])
def test_promoted_by_one_step_of_the_model(tiny, saved, site):
    """At the last layer nothing else reads the stream: as large a change of the logits, at the scale of the run."""
    model = tiny("gemma3", "float64")
    last, dims = model.dims.layers - 1, model.dims
    hook = {"resid_post": "hook_resid_post", "mlp_post": "mlp.hook_post", "mlp_write": "hook_mlp_out"}
    width = dims.d_mlp if site == "mlp_post" else dims.d_model
    folder, _ = saved("standard", width, hook=f"blocks.{last}.{hook.get(site, 'hook_attn_out')}", model=model.name)
    attached = dictionaries.load(folder).attach(model)
    assert attached.site == Site(site, last)
    up, _ = promoted(attached, 3)
    assert head_weights(attached) is None
    assert up.token.shape == (24, 3)
    if site == "resid_post":
        prompts = Prompts.of(model, "The keys to")
        row, at = attached.sae.W_dec[5], Site("ln_final_in")
        stream = model.record(prompts, [at])[at][0, -1]
        factor, unembedding = model.weights.norm("ln_final")[0], model.weights.unembedding()
        scale = (stream.square().mean() + model.config.rms_norm_eps).rsqrt()
        step = (row * scale * factor) @ unembedding
        torch.testing.assert_close(step.topk(3).values / scale, up.weight[5])


def test_promoted_by_a_unit_of_activation(tiny, saved):
    """A dictionary that rescales its features: what decoding one of them at 1 adds, and nothing else."""
    model = tiny("llama")
    settings = {"hook": "blocks.1.hook_resid_post", "model": model.name, "k": 3, "rescale_acts_by_decoder_norm": True}
    folder, _ = saved("topk", model.dims.d_model, **settings)
    attached = dictionaries.load(folder).attach(model)
    with torch.no_grad():
        written = attached.sae.decode(torch.eye(24)) - attached.sae.decode(torch.zeros(1, 24))
    logits = (written * model.weights.norm("ln_final")[0]) @ model.weights.unembedding()
    up, down = promoted(attached, 4)
    torch.testing.assert_close(up.weight, logits.topk(4).values, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(down.weight, logits.topk(4, largest=False).values, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["bert-classifier", "bert-masked"])
def test_no_promoted_tokens(tiny, family):
    assert promoted(dictionaries.attached(tiny(family))) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_head_weights(tiny, family):
    model = tiny(family)
    attached = dictionaries.attached(model)
    found, width = head_weights(attached), model.dims.d_head
    rows = attached.sae.W_dec.double().numpy()
    norms = np.stack([np.sqrt((rows[:, h * width : (h + 1) * width] ** 2).sum(1)) for h in range(model.dims.heads)], 1)
    np.testing.assert_allclose(found, norms / norms.sum(1, keepdims=True), rtol=1e-5)
