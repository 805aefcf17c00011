"""Another model takes the first one's place, or leaves it where it is."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from interp_dashboard.app import build, open_link
from interp_dashboard.serve import serve
from interp_dashboard.switching import Serving

import interp
from interp.core.errors import InterpError
from interp.core.progress import track
from interp.models.inventory import files_of

Checkpoint = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def serving(checkpoint: Checkpoint) -> Iterator[Serving]:
    made = Serving(interp.load(str(checkpoint("llama"))))
    yield made
    made.close()


def ended(serving: Serving, seconds: float = 60) -> None:
    assert serving._thread is not None
    serving._thread.join(seconds)
    assert not serving._thread.is_alive()


def test_the_old_model_is_let_go_of_and_its_work_is_cancelled(serving: Serving, checkpoint: Checkpoint) -> None:
    old, before = serving.workspace, weakref.ref(serving.workspace.model)
    started = threading.Event()

    def long() -> None:
        for _ in track(range(10**6), 10**6, "long"):
            started.set()
            time.sleep(0.001)

    old.runner.submit("long", long, label="long", quick=False, watcher="a tab")
    started.wait(10)
    loading = serving.begin(str(checkpoint("gpt2")), "float64")
    ended(serving)
    assert serving.workspace.model.name == str(checkpoint("gpt2"))
    assert serving.identity["process"] == loading.process
    assert serving.identity["loading"] is None
    assert str(serving.workspace.model.dtype) == "torch.float64"
    assert old.runner.find("long") is None
    del old
    gc.collect()
    assert before() is None


def test_what_it_holds_is_known_from_then_on(serving: Serving, checkpoint: Checkpoint) -> None:
    name = str(checkpoint("bert-classifier"))
    (row,) = [row for row in serving.listing(name)["models"] if row["name"] == name]
    assert row["support"] is None
    serving.begin(name, "float32")
    ended(serving)
    (row,) = [row for row in serving.listing(name)["models"] if row["name"] == name]
    assert row["support"]["attention"] == ""
    assert "classifier" in row["support"]["logit-lens"]
    model = serving.workspace.model
    assert row["parameters"] == sum(each.numel() for each in model.bridge.original_model.parameters())


def failed(serving: Serving, name: str, dtype: str = "float32") -> str:
    before = serving.workspace
    serving.begin(name, dtype)
    ended(serving)
    assert serving.workspace is before
    return serving.identity["loading"]["error"]


def test_what_does_not_load_is_one_line(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one may."""
    assert "not in the local cache" in failed(serving, "nobody/nothing")
    assert "not been pulled" in failed(serving, "smollm2-135m") or "not pulled" in failed(serving, "smollm2-135m")
    monkeypatch.setattr("interp.models.memory.free_memory", lambda device: 1000)
    said = failed(serving, serving.workspace.model.name)
    assert "GiB, but only 0.0 GiB are free" in said
    assert len(said.splitlines()) == 1
    serving.cancel()
    assert serving.identity["loading"] is None


def test_loading_can_be_cancelled(serving: Serving, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(name: str) -> Any:
        asked.set()
        go.wait(20)
        return files_of(name)

    monkeypatch.setattr("interp_dashboard.switching.files_of", slow)
    before = serving.workspace
    serving.begin(str(checkpoint("gpt2")), "float32")
    asked.wait(20)
    with pytest.raises(InterpError, match="is being loaded"):
        serving.begin(str(checkpoint("gpt2")), "float32")
    serving.cancel()
    go.set()
    ended(serving)
    assert serving.workspace is before
    assert serving.identity["loading"] is None


def test_a_link_of_another_model_brings_its_question_alone(serving: Serving) -> None:
    link = "?model=other&page=heads&layer=1&head=2&clean=The+keys&corrupted=&answer=+are&contrast="
    answer, notice, *_ = open_link(serving.workspace, link)
    assert (answer["view"]["clean"], answer["view"]["layer"], answer["view"]["page"]) == ("The keys", None, "heads")
    assert notice["switch"] == "other"
    assert "This link is of other." in notice["text"]
    mine = open_link(serving.workspace, link.replace("other", serving.workspace.model.name))
    assert mine[0]["view"]["layer"] == 1
    assert "switch" not in mine[1]


def test_on_another_address_the_model_stays(checkpoint: Checkpoint) -> None:
    model = interp.load(str(checkpoint("llama")))
    for more, fixed in (({}, "--any-model"), ({"any_model": True}, "")):
        served = serve(model, host="0.0.0.0", port=0, password="secret", block=False, **more)
        assert fixed in served.serving.fixed
        assert bool(served.serving.fixed) == bool(fixed)
        served.close()
    app, serving = build(model, "it is served to others")
    client = app.server.test_client()
    assert client.get("/_models").json.keys() == {"fixed", "now"}
    assert (
        "it is served to others" in client.post("/_models/load", json={"name": "x", "dtype": "float32"}).json["error"]
    )
    assert client.post("/_models/load", json={"name": 5, "dtype": "float32"}).status_code == 400
    serving.close()


PROGRAM = {
    "source": "a = selector_width(select(tokens, tokens, ==));",
    "vocabulary": "x y",
    "longest": 3,
    "causal": True,
}


def compiling(serving: Serving, **change: Any) -> Any:
    wanted = PROGRAM | change
    return serving.begin("a RASP program", "float32", wanted | {"vocabulary": wanted["vocabulary"].split()})


def test_a_program_is_compiled_and_answers(serving: Serving) -> None:
    pytest.importorskip("tracr")
    loading = compiling(serving)
    ended(serving)
    assert serving.identity["process"] == loading.process
    name = serving.workspace.model.name
    assert name.startswith("compiled/a-")
    assert serving.workspace.model.is_causal
    assert [row["origin"] for row in serving.listing()["models"] if row["name"] == name] == ["folder"]
    assert serving.listing()["rasp"]["obstacle"] == ""


def test_a_program_that_means_nothing_is_refused_before_anything_else(serving: Serving) -> None:
    for change, said in (
        ({"source": "b"}, "line 1, column 1: there is no 'b'"),
        ({"source": "b;" * 10_000}, "has 20,000 characters; give at most 10,000"),
        ({"vocabulary": " ".join(map(str, range(99)))}, "the vocabulary needs 2 to 16 words"),
        ({"longest": 99}, "give a length from 1 to 10"),
    ):
        with pytest.raises(InterpError, match=said):
            compiling(serving, **change)
    assert serving.identity["loading"] is None


@pytest.mark.parametrize("limit", [-1, 60])
def test_compiling_ends(serving: Serving, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """By its limit of time, or by whoever cancels it."""
    pytest.importorskip("tracr")
    monkeypatch.setattr("interp_dashboard.switching.LONGEST_COMPILING", limit)
    before, begun = serving.workspace, threading.Event()

    def slow(**program: Any) -> str:
        begun.set()
        for _ in track(range(10**6), 10**6, "comparing it with its program"):
            time.sleep(0.001)
        raise AssertionError

    monkeypatch.setattr("interp.groundtruth.compiled_name", slow)
    compiling(serving)
    if limit > 0:
        begun.wait(20)
        serving.cancel()
    ended(serving)
    assert serving.workspace is before
    loading = serving.identity["loading"]
    assert loading is None if limit > 0 else "takes more than -1 s" in loading["error"]


def test_what_no_page_sends_is_no_program(serving: Serving) -> None:
    app, fixed = build(serving.workspace.model, "it is served to others")
    client = app.server.test_client()
    body = PROGRAM | {"dtype": "float32"}
    assert "it is served to others" in client.post("/_models/compile", json=body).json["error"]
    for bad in ({}, body | {"source": 5}, body | {"longest": "many"}, body | {"vocabulary": ["x"]}, [body]):
        assert client.post("/_models/compile", json=bad).status_code == 400
    fixed.close()
