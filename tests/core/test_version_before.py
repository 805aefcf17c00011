"""What the version before wrote, and was stopped at, is resumed: `version_before` holds its files.

They are of the tests' tiny Llama and its dictionary, whose hashes are put in, as they differ between processors.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from dictionaries.trainings import Z, options, windows_of

from interp import dictionaries
from interp.circuits.search.journal import Decision, Journal
from interp.core.errors import CorpusError
from interp.corpus import Windows
from interp.corpus.gathering import begun, gather, opened
from interp.corpus.sums import Sums
from interp.dictionaries.cards.harvesting import Harvest, harvest
from interp.dictionaries.cards.writing import write_cards
from interp.dictionaries.sae.hashing import dictionary_hash
from interp.dictionaries.training.folder import TrainingFolder

MODEL, DICTIONARY = "ef8a4ec295a06b41", "ed6d8e5ae9729130"  # the hashes where the files were written


@dataclass(frozen=True)
class TokenSums:
    """Sums of token numbers, which no rounding touches."""

    name: str = "token-sums"

    def measure(self, model, windows, first, into=None):
        tokens = windows.tokens.numpy().astype(np.float64)
        totals = {"sum": np.array(0.0)} if into is None else into
        totals["sum"] += tokens.sum()
        return Sums(totals, {"sums": tokens.sum(1)})

    def settings(self):
        return {"layout": 1}


@pytest.fixture
def files(tiny, tmp_path) -> Path:
    """A copy of the files, with this machine's hashes."""
    copy, model = shutil.copytree(Path(__file__).parent / "version_before", tmp_path / "before"), tiny("llama")
    for path in copy.rglob("*.json"):
        text = path.read_text().replace(MODEL, model.weight_hash)
        path.write_text(text.replace(DICTIONARY, dictionary_hash(dictionaries.attached(model))))
    return copy


def test_a_journal(files):
    question = {"engine": "acdc", "weights": MODEL, "options": {"tau": 0.01, "prefilter": None}}
    with Journal(files / "journal.jsonl", question, resume=True) as journal:
        assert list(map(str, journal.decided)) == list(
            map(
                str,
                [Decision(3, 7, 0.25, False, 1.5), Decision(2, 7, np.nan, True, 1.5), Decision(1, 4, -0.1, True, 1.4)],
            )
        )


def test_statistics(files, tiny):
    model, tokens = tiny("llama"), windows_of(tiny("llama")).tokens[:7, :6].numpy()
    with pytest.raises(CorpusError, match="contains only 2 of 4 shards"):
        opened(files / "statistics", model, TokenSums())
    windows = begun(files / "statistics", model, {"length": 6})
    resumed = gather(model, windows, TokenSums(), shard=2, out=files / "statistics")
    for found in (resumed, opened(files / "statistics-finished", model, TokenSums())):
        assert found.totals["sum"] == tokens.sum()
        assert (found.rows("sums") == tokens.sum(1)).all()


def test_features(files, tiny, tmp_path):
    model, folder = tiny("llama"), files / "features"
    attached = dictionaries.attached(model)
    tokens = windows_of(model).tokens[:4, :6]
    windows = Windows.of_rows(model, tokens, corpus="random", documents=[*"0123"], topics=[""] * 4)
    assert Harvest.open(folder).shards == [0]
    before = (folder / "shard-000000.parquet").stat().st_mtime_ns
    resumed, anew = (harvest(attached, windows, each, shard=2) for each in (folder, tmp_path / "anew"))
    assert (folder / "shard-000000.parquet").stat().st_mtime_ns == before
    cards, expected = (write_cards(attached, each).cards() for each in (resumed, anew))
    assert cards["active"].tolist() == expected["active"].tolist()
    np.testing.assert_allclose(cards["mean"], expected["mean"], rtol=1e-5)


def test_a_training(files, tiny):
    model, folder = tiny("llama"), files / "training"
    progress = json.loads((TrainingFolder(folder).checkpoint / "progress.json").read_text())
    dictionaries.train(model, windows_of(model), Z, out=folder, options=options(features=4, k=1, tokens=384))
    report = json.loads((folder / "report.json").read_text())
    assert report["history"][: len(progress["history"])] == progress["history"]
    assert [row["tokens"] for row in report["history"]] == [64, 128, 192, 256, 320, 384]
    assert sorted(path.name for path in folder.iterdir()) == ["cfg.json", "report.json", "sae_weights.safetensors"]
