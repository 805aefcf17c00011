"""Documents from files, data sets and the standard library."""

import json
import shutil
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interp.core.errors import CorpusError
from interp.corpus import Document, documents

FILES = {
    "plain.txt": "Plain text.\n",
    "news/story.md": "# A story",
    "news/deep/story.txt": "\ufeffA mark before it",
    "empty.txt": "",
    "rows.jsonl": '{"text": "one", "topic": "sea"}\n\n{"text": "two", "label": 3}\n{"text": "three", "topic": null}\n',
    "table.parquet": {"text": ["four", "five"], "category": ["sky", ""], "other": [1, 2]},
    "left out.csv": "a,b\n",
    ".hidden/plain.txt": "hidden",
}
READ = {
    Document("plain.txt", "plain", "Plain text.\n"),
    Document("news/story.md", "news", "# A story"),
    Document("news/deep/story.txt", "news/deep", "A mark before it"),
    Document("empty.txt", "empty", ""),
    Document("rows.jsonl:1", "sea", "one"),
    Document("rows.jsonl:3", "3", "two"),
    Document("rows.jsonl:4", "rows", "three"),
    Document("table.parquet:1", "sky", "four"),
    Document("table.parquet:2", "table", "five"),
}


def write(folder: Path, files: dict) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            pq.write_table(pa.table(content), path, row_group_size=1)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def test_a_folder_is_read_in_an_order_of_the_seed_alone(tmp_path):
    first = write(tmp_path / "first", FILES)
    second = write(tmp_path / "second", dict(reversed(FILES.items())))
    read = list(documents(str(first), seed=1))
    assert set(read) == READ
    assert len(read) == len(READ)
    assert list(documents(str(second), seed=1)) == read
    assert len({tuple(documents(str(first), seed=seed)) for seed in range(5)}) > 1


@pytest.mark.parametrize("name", ["rows.jsonl", "table.parquet"])
def test_the_text_of_another_column(name, tmp_path):
    rows = [{"body": "a", "text": "b"}, {"body": "c", "text": "d"}]
    content = {"body": ["a", "c"], "text": ["b", "d"]} if name.endswith("t") else "\n".join(map(json.dumps, rows))
    path = write(tmp_path, {name: content}) / name
    assert [document.text for document in documents(str(path))] == ["b", "d"]
    assert [document.text for document in documents(f"{path}:body")] == ["a", "c"]
    assert [document.text for document in documents(f"{tmp_path}:body")] == ["a", "c"]
    with pytest.raises(CorpusError, match=rf"^{name}.* \(it has no column 'title', but body, text\)"):
        list(documents(f"{path}:title"))


def test_what_cannot_be_read_is_named(tmp_path):
    """Each part on its own: what stands around it is read."""
    lines = ['{"text": "good"}', '{"text": "cut', "7", '{"text": null}', '{"text": "\\ud800"}', "[" * 99999]
    lines += ['{"title": "a"}', '{"text": "also good"}']
    write(
        tmp_path,
        {
            "bytes.txt": b"caf\xe9",
            "rows.jsonl": "\n".join(lines).encode() + b'\n{"text": "caf\xe9"}\n',
            "whole.parquet": {"text": ["x", "y", "z"]},
            "cut.parquet": {"text": ["x"]},
            "words.parquet": {"title": ["x"]},
            "numbers.parquet": {"text": [1]},
        },
    )
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(cut.read_bytes()[:-20])
    damage(tmp_path / "whole.parquet", group=1)
    named: dict[str, str] = {}
    read = {document.name for document in documents(str(tmp_path), unreadable=named.__setitem__)}
    assert read == {"rows.jsonl:1", "rows.jsonl:8", "whole.parquet:1", "whole.parquet:3"}
    assert set(named) == {
        "bytes.txt", "rows.jsonl:2", "rows.jsonl:3", "rows.jsonl:4", "rows.jsonl:5", "rows.jsonl:6", "rows.jsonl:7",
        "rows.jsonl:9", "whole.parquet, row group 1", "cut.parquet", "words.parquet", "numbers.parquet:1",
    }  # fmt: skip
    assert all(reason and "\n" not in reason for reason in named.values())
    for name in ("bytes.txt", "cut.parquet", "whole.parquet", "rows.jsonl"):
        with pytest.raises(CorpusError, match=rf"^{name}.* cannot be read \(.*\); fix or remove it, or skip"):
            list(documents(str(tmp_path / name)))


def test_big_files_are_read_as_far_as_they_are_needed(tmp_path):
    """What lies behind is not looked at: here it could not be read."""
    write(tmp_path, {"rows.jsonl": '{"text": "a"}\nno', "table.parquet": {"text": ["a", "b"]}})
    damage(tmp_path / "table.parquet", group=1)
    for name in ("rows.jsonl", "table.parquet"):
        assert next(documents(str(tmp_path / name))).text == "a"


def test_a_data_set_from_the_cache(tmp_path, monkeypatch):
    """Streamed without a network, in an order of the seed, its classes by name."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    kinds = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["dull", "keen"])})
    rows = {"text": [f"text {number}" for number in range(9)], "label": [number % 2 for number in range(8)] + [-1]}
    datasets.Dataset.from_dict(rows, features=kinds).to_parquet(tmp_path / "rows.parquet")
    built = datasets.load_dataset("parquet", data_files=str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "own"))
    made = Path(built["train"].cache_files[0]["filename"])
    kept = tmp_path / "cache/owner___tiny/default/0.0.0" / ("a" * 40)
    kept.mkdir(parents=True)
    shutil.copy(made.with_name("dataset_info.json"), kept)
    shutil.copy(made, kept / "tiny-train.arrow")
    for corpus in ("hf:owner/tiny", "hf:owner/tiny:default:train:text"):
        read = list(documents(corpus, seed=3))
        assert {(d.text, d.topic) for d in read} == {
            (f"text {number}", "-1" if number == 8 else ("dull", "keen")[number % 2]) for number in range(9)
        }
        assert read == list(documents("hf:owner/tiny", seed=3))
    assert read != list(documents("hf:owner/tiny", seed=4))
    with pytest.raises(CorpusError, match=r"cannot read the data set 'owner/tiny': .*test.* check its name"):
        list(documents("hf:owner/tiny::test"))


def test_the_standard_library_is_its_docstrings(tmp_path, monkeypatch):
    """In the order of the source; what is installed beside it and its tests are not of it."""
    source = '''"""Module."""
class A:
    """A class."""
    def f(self):
        """A method."""
if True:
    def g():
        def inner():
            """Inner."""
try:
    pass
except ValueError:
    class B:
        """B."""
"no docstring"
'''
    write(
        tmp_path,
        {
            "pack/age.py": source,
            "bare.py": "x = 1\n",
            "bad.py": "def",
            "site-packages/other.py": source,
            "pack/tests/test_age.py": source,
        },
    )
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": str(tmp_path)})
    named: dict[str, str] = {}
    found = {document.name: document for document in documents("stdlib", unreadable=named.__setitem__)}
    modules = {name: document for name, document in found.items() if not name.startswith("reference/")}
    assert modules == {
        "pack/age": Document("pack/age", "pack", "Module.\n\nA class.\n\nA method.\n\nInner.\n\nB."),
        "bare": Document("bare", "bare", ""),
    }
    assert list(named) == [str(tmp_path / "bad.py")]
    assert found["reference/lambda"].topic == "language reference"


def test_the_standard_library_of_this_installation():
    read = list(islice(documents("stdlib", seed=0), 30))
    assert read == list(islice(documents("stdlib", seed=0), 30))
    assert [document.name for document in read] != [
        document.name for document in islice(documents("stdlib", seed=1), 30)
    ]
    assert sum(len(document.text) > 300 for document in read) > 10


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("", "there is no corpus ''; give stdlib, a file, a folder, or hf:NAME"),
        ("/nowhere/at/all.txt", "there is no corpus '/nowhere/at/all.txt'"),
        ("{folder}", "contains no readable file (.txt, .md, .jsonl, .parquet); give a folder that contains text"),
        ("{folder}/page.pdf", "page.pdf is no file that can be read as a corpus; give one of .txt"),
        ("hf:", "'hf:' does not name a data set; write hf:NAME"),
        ("hf:a:b:c:d:e", "does not name a data set; write hf:NAME, or hf:NAME:CONFIG:SPLIT:COLUMN"),
        ("hf:no/such", "cannot read the data set 'no/such': "),
    ],
)
def test_a_corpus_that_is_none(corpus, message, tmp_path):
    write(tmp_path, {"page.pdf": b"%PDF"})
    with pytest.raises(CorpusError) as refused:
        next(iter(documents(corpus.format(folder=tmp_path))))
    assert message in str(refused.value)


def damage(path: Path, group: int) -> None:
    """Make one group of rows unreadable."""
    with pq.ParquetFile(path) as file:
        column = file.metadata.row_group(group).column(0)
        start = min(filter(None, (column.dictionary_page_offset, column.data_page_offset)))
    content = bytearray(path.read_bytes())
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(bytes(content))
