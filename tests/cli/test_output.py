"""The command line on tiny checkpoints: what it prints, saves and offers."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from asking import family_for, some
from tiny import FAMILIES

from interp import engines
from interp.checks.contract import QUICK
from interp.cli import main
from interp.core.prompts import PromptPairs
from interp.core.result import UNNUMBERED, Result
from interp.kinds import Circuit

CLEAN, CORRUPTED = " Mary and John to the", " John and Mary to the"
PROMPT = ["--prompt", CLEAN]
TWIN = ["--corrupted", CORRUPTED]
ASKED = ["--target", " Mary", "--contrast", " John"]
# Tables with words, with tokens and others beside them, of pairs of positions, of heads, of edges, and of windows.
SIX = ("logit-lens", "attnlrp", "attention", "activation-patching", "eap", "position-context")
LABELS = {"pos": "token", "query_pos": "query_token", "key_pos": "key_token"}


# What is printed


@some("engine", engines.all_engines(), always=SIX)
def test_tidy_csv(engine, printed, tiny):
    """A column for each axis, label and variable of the main table; each row is the library's number at its place."""
    model = tiny(family_for(engine, tiny))
    pairs = PromptPairs.of(model, CLEAN, CORRUPTED, target=" Mary", contrast=" John")
    result = engines.find(engine)(model, pairs, **QUICK.get(engine, {}))
    apart = {name for names in result.tables.values() for name in names}
    expected = result.data[[name for name in result.data.data_vars if name not in apart]].isel(
        batch=0, missing_dims="ignore"
    )
    for name in [name for name, array in expected.data_vars.items() if "bound" in array.dims]:
        low, high = (expected[name].isel(bound=at, drop=True) for at in (0, 1))
        stem = name.removesuffix("_interval")
        expected = expected.drop_vars(name).assign({f"{stem}_low": low, f"{stem}_high": high})
    expected = expected.drop_vars("bound", errors="ignore")
    table = printed(engine, *PROMPT, *TWIN, *ASKED).table
    axes = {str(axis) for axis in expected.dims}
    labels = set(expected.coords) - axes - {"batch", "prompt"}
    if "batch" in result.data.dims:  # positions of windows of a corpus have no token of their own
        assert labels >= {LABELS[axis] for axis in axes & set(LABELS)}
    unnumbered = axes & set(UNNUMBERED)  # a row an edge, told by its ends
    assert set(table.columns) == axes - unnumbered | labels | set(expected.data_vars)
    assert len(table) == np.prod([expected.sizes[axis] for axis in axes])
    told = sorted(axes - unnumbered | (labels if unnumbered else set()))
    assert len(table) == 1 or not table.duplicated(told).any()
    for number, row in enumerate(table.to_dict("records")):
        cell = expected.sel({axis: row[axis] for axis in axes - unnumbered}).isel(dict.fromkeys(unnumbered, number))
        for name in table.columns:
            value = cell[name].item()
            if isinstance(value, str):
                assert row[name] == value
            else:
                assert row[name] == pytest.approx(value, rel=1e-5, abs=1e-6, nan_ok=True)


@some("engine", engines.all_engines(), always=["logit-lens"])
def test_json_is_one_record_a_row(engine, printed):
    table = printed(engine, *PROMPT, *TWIN, *ASKED).table
    lines = printed(engine, *PROMPT, *TWIN, *ASKED, "--format", "json").out.splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == len(table)
    for record, row in zip(records, table.to_dict("records"), strict=True):
        assert list(record) == list(row)
        for name, value in record.items():
            expected = row[name]
            if value is None:
                assert np.isnan(expected)
            else:
                assert value == (pytest.approx(expected, rel=1e-5, abs=1e-7) if isinstance(value, float) else expected)


@some("engine", engines.all_engines(), always=["activation-patching"])
def test_html_stands_alone(engine, printed):
    page = printed(engine, *PROMPT, *TWIN, *ASKED, "--format", "html").out
    assert page.lower().startswith("<!doctype html>")
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    assert "plotly" in page
    assert not re.search(r"""<(script|link|img|iframe)[^>]*\s(src|href)=["']?(https?:)?//""", page)


def test_nothing_but_the_table_on_standard_output(printed):
    silent = printed("head-scores", *PROMPT, "--format", "none")
    assert silent.out == ""
    assert silent.err == "mean attention of each head to the named position\n"
    assert printed("activation-patching", *PROMPT, *TWIN, *ASKED).err.splitlines()[-1].startswith("effect = metric(")


def test_a_row_for_each_head(printed):
    """Three layers of four heads, numbered; the default model has 270."""
    table = printed("activation-patching", *PROMPT, *TWIN, *ASKED, "--site", "z").table
    assert list(table.columns) == ["layer", "head", "effect"]
    assert table[["layer", "head"]].values.tolist() == [[layer, head] for layer in range(3) for head in range(4)]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(family, interp, checkpoint):
    found = interp("run", "head-scores", "--model", checkpoint(family), "--n", 2, "--length", 5)
    assert found.code == 0, found.err
    assert len(found.table) == 12


def test_a_classifier_is_asked_for_a_class(interp, checkpoint):
    asked = ["--prompt", "the keys", "--target", "LABEL_1"]
    found = interp("run", "ablation", "--model", checkpoint("bert-classifier"), *asked, "--nodes", "m0")
    assert found.code == 0, found.err
    assert 'logit("LABEL_1")' in found.err


# Options


def test_options_reach_the_engine(printed):
    assert set(printed("attention", *PROMPT, "--layers", 0, 2).table.layer) == {0, 2}
    assert set(printed("attention", *PROMPT, "--layers").table.layer) == {0, 1, 2}
    assert printed("logit-lens", *PROMPT, "--top", 3).table["rank"].max() in (2, 3)
    assert len(printed("logit-lens", *PROMPT, "--top", 3).table) == 3 * 5 * 3
    patched = ["activation-patching", *PROMPT, *TWIN, *ASKED, "--site", "resid_pre"]
    assert "pos" in printed(*patched).table
    assert "pos" in printed(*patched, "--by-position").table
    assert "pos" not in printed(*patched, "--no-by-position").table
    ablated = printed("ablation", *PROMPT, *ASKED, "--nodes", "0.1", "m2", "--how", "mean", "--top", 2)
    assert "mean ablation of 0.1, m2" in ablated.err
    assert len(ablated.table) == 2


def test_several_prompts(printed):
    prompts = ["--prompt", CLEAN, "--prompt", " Mary"]
    table = printed("logit-lens", *prompts, "--target", " Mary", "--target", " John", "--top", 1).table
    assert list(table.columns[:2]) == ["batch", "layer"]
    assert set(table.prompt) == {CLEAN, " Mary"}
    assert len(table) == 3 * (5 + 1)
    assert len(printed("head-scores", *prompts, "--per-prompt").table) == 2 * 12


def test_head_scores_bring_their_own_prompts(printed):
    arguments = ["--n", 3, "--length", 6, "--seed", 1]
    mean, each = (printed("head-scores", *arguments, *more).table for more in ([], ["--per-prompt"]))
    assert len(each) == 3 * len(mean) == 36
    for row in mean.to_dict("records"):
        cell = each[(each.layer == row["layer"]) & (each["head"] == row["head"])]
        assert row["induction"] == pytest.approx(cell.induction.mean())
        assert row["induction_low"] <= row["induction"] <= row["induction_high"]


@pytest.mark.parametrize("task", ["ioi", "induction"])
def test_tasks(task, printed):
    def accuracy(*more: object) -> pd.DataFrame:
        return printed("task-accuracy", "--task", task, "--n", 5, *more).table

    mean, each = accuracy("--seed", 1), accuracy("--seed", 1, "--per-prompt")
    assert list(mean.columns)[:3] == ["difference", "difference_low", "difference_high"]
    assert (len(mean), len(each)) == (1, 5)
    assert mean.difference[0] == pytest.approx(each.difference.mean())
    assert mean.correct[0] == (each.difference > 0).mean()
    assert accuracy("--seed", 1).equals(mean)
    assert not accuracy("--seed", 2).equals(mean)


def test_a_task_feeds_any_engine(printed):
    arguments = ["--task", "ioi", "--n", 2, "--task-option", "order=BABA"]
    table = printed("activation-patching", *arguments, "--site", "mlp_out").table
    assert list(table.columns) == ["layer", "effect", "effect_low", "effect_high"]
    assert len(table) == 3


# Files


@pytest.mark.parametrize("engine", ["logit-lens", "activation-patching", "ablation"])
def test_saved_and_shown(engine, printed, interp, tmp_path):
    path = tmp_path / "deep" / "result"
    saved = printed(engine, *PROMPT, *TWIN, *ASKED, "--out", path)
    assert f"saved {path}.nc\n" in saved.err
    for form in ("csv", "json", "html"):
        shown = interp("show", path, "--format", form)
        assert shown.code == 0
        direct = saved.out if form == "csv" else printed(engine, *PROMPT, *TWIN, *ASKED, "--format", form).out
        # Pages carry the seconds and the date of their run.
        assert len(shown.out) > 1e6 if form == "html" else shown.out == direct
        assert f"engine: {engine}\n" in shown.err
        assert "\n  weight_hash: " in shown.err
    assert Result.load(path).provenance.engine == engine


def test_a_circuit_from_saved_scores(printed, interp, tmp_path):
    """Scores become a circuit's JSON, which prints as a table, and which the evidence takes."""
    printed("eap", *PROMPT, *TWIN, *ASKED, "--format", "none", "--out", tmp_path / "scores")
    for extraction in ("top", "greedy"):
        made = interp("show", tmp_path / "scores", "--format", "graph", "--edges", 30, "--extraction", extraction)
        assert made.code == 0
        path = tmp_path / f"{extraction}.json"
        path.write_text(made.out)
        expected = Circuit.of(Result.load(tmp_path / "scores"), 30, extraction=extraction)
        assert Circuit.load(path) == expected
        shown = interp("show", path)
        assert shown.out == expected.to_frame().to_csv(index=False)
        assert interp("show", path, "--format", "graph").out == made.out
    few = ["--budgets", "10", "100", "--tested-nodes", "1", "--knockouts", "0", "--tested-edges", "2", "--draws", "1"]
    evidence = ["circuit-evidence", *PROMPT, *TWIN, *ASKED, *few]
    told = printed(*evidence, "--circuit", path)
    assert told.out.startswith("faithfulness,")
    assert "ranked by eap on these prompts" in told.err
    assert printed(*evidence, "--circuit", tmp_path / "scores.nc", "--edges").out.startswith(
        "sender,receiver,edge_effect"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scores.nc", "--edges", "3"], "--edges goes with --format graph"),
        (["scores.nc", "--format", "graph", "--edges", "0"], "argument --edges: 0 is not from 1"),
        (["c.json", "--format", "graph", "--extraction", "top"], "is a circuit already; leave --extraction out"),
        (["c.json", "--format", "html"], "has no figure"),
        (["absent.json"], "no graph at"),
        (["broken.json"], "damaged or not an attribution graph"),
        (["heads.nc", "--format", "graph"], "HeadScores has no edges"),
    ],
)
def test_circuits_that_cannot_be_shown(arguments, message, printed, interp, tmp_path):
    printed("eap", *PROMPT, *TWIN, *ASKED, "--format", "none", "--out", tmp_path / "scores")
    printed("head-scores", *PROMPT, "--format", "none", "--out", tmp_path / "heads")
    Circuit.of(Result.load(tmp_path / "scores"), 30).save(tmp_path / "c")
    (tmp_path / "broken.json").write_text("{")
    name, *flags = arguments
    found = interp("show", tmp_path / name, *flags)
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert message in found.err


def test_a_mean_and_each_prompt_from_a_file(printed, interp, tmp_path):
    arguments = ["task-accuracy", "--task", "ioi", "--n", 4]
    path = tmp_path / "accuracy"
    mean = printed(*arguments, "--out", path)
    assert interp("show", path).out == mean.out
    assert interp("show", path, "--per-prompt").out == printed(*arguments, "--per-prompt").out


def test_what_cannot_be_saved_is_printed(interp, checkpoint, tmp_path):
    (tmp_path / "file").touch()
    command = ["run", "head-scores", "--model", checkpoint("llama"), *PROMPT]
    found = interp(*command, "--out", tmp_path / "file" / "result")
    assert found.code == 2
    assert found.err.count("\n") == 1
    assert "cannot write" in found.err
    assert found.out == interp(*command).out


# Help


def test_help(interp, capsys):
    for command in (["--help"], ["run", "logit-lens", "--help"]):
        with pytest.raises(SystemExit) as caught:
            main(command)
        assert caught.value.code == 0
        assert capsys.readouterr().out.startswith("usage: interp")


def test_lists(interp):
    table = interp("list").table
    assert list(table[table.kind == "engine"].name) == list(engines.all_engines())
    assert not table.drop(columns="score").isna().any().any()
    assert table.score[table.name == "acdc"].item().startswith("edges: AUC ")
    assert "smollm2-135m" in interp("models").table.name.tolist()


def test_a_model_is_checked(interp, checkpoint, monkeypatch, tmp_path):
    """Exact or refused, with the time it takes said first."""
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))
    command = ("models", "check", checkpoint("bert-masked"), "--dtype", "float64")
    done = interp(*command, "--engines", "attention", "eap")
    assert list(done.table.outcome) == ["exact", "refused"]
    assert "checking 2 engines takes about" in done.err
    assert "rows sum to one" in done.table.said[0]
    assert "normalises the residual stream itself" in done.table.said[1]


@pytest.mark.parametrize("name", engines.all_engines())
def test_every_engine_has_a_parser(name, capsys):
    """Flags of options, tables, prompts and models share one command line: none takes another's name."""
    with pytest.raises(SystemExit) as ended:
        main(["run", name, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for table in engines.find(name).result.tables:
        assert f"--{table}" in printed


def test_the_mean_over_a_data_set(interp, checkpoint, tmp_path):
    """The columns of a mean over a batch; kept in shards, saved with its standard error."""
    task = ("--model", checkpoint("gpt2"), "--task", "ioi", "--n", 3)
    work = ("--mean", "--folder", tmp_path / "sums", "--shard", 2, "--out", tmp_path / "eap")
    whole = interp("run", "eap", *task).table
    found = interp("run", "eap", *task, *work)
    assert list(found.table) == list(whole)
    np.testing.assert_allclose(found.table.score, whole.score, atol=1e-5)
    assert [path.name for path in sorted(tmp_path.glob("*.nc"))] == ["eap.nc", "eap.standard_error.nc"]
    assert "mean over 3 prompts: " in found.err
    assert len(Result.load(tmp_path / "eap").data["batch"]) == 1


def test_work_that_cannot_be_shared_out_is_told(interp, checkpoint):
    run = interp("run", "head-scores", "--model", checkpoint("gpt2"), "--prompt", "a b a", "--shard", 2)
    assert run.code == 0
    assert "warning: --shard changed nothing, as head-scores is no sum over windows; its mean over prompts" in run.err
