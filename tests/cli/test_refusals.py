"""The command line on tiny checkpoints: what it refuses, in one line."""

import re

import pytest
from tiny import CONTEXT

CLEAN, CORRUPTED = " Mary and John to", " John and Mary to"
PROMPT = ["--prompt", CLEAN]
TWIN = ["--corrupted", CORRUPTED]
ASKED = ["--target", " Mary", "--contrast", " John"]
LABELS = {"pos": "token", "query_pos": "query_token", "key_pos": "key_token"}


SHORT = ["--prompt", "The keys"]
REFUSED = {
    "empty prompt": (["logit-lens", "--prompt", ""], "the prompt is empty; enter some text"),
    "white prompt": (["logit-lens", "--prompt", " \n"], "the prompt is empty; enter some text"),
    "over-long prompt": (
        ["logit-lens", "--prompt", " to" * 70],
        f"a prompt of 70 tokens exceeds the context of {CONTEXT} tokens of .*; shorten it",
    ),
    "lone surrogate": (["logit-lens", "--prompt", "a\udcff"], r"'a\\udcff' contains a lone surrogate"),
    "prompt without value": (["logit-lens", "--prompt"], "argument --prompt: expected one argument"),
    "no prompt": (["logit-lens"], "logit-lens needs text; give --prompt 'some text', or --task NAME"),
    "unequal lengths": (
        ["activation-patching", *SHORT, "--corrupted", "The keys to the cabinet", *ASKED],
        r"differ in length \(2 and 5 tokens, pair 0: 'The keys to the cabinet'\); reword one",
    ),
    "unequal numbers": (
        ["activation-patching", *SHORT, *SHORT, "--corrupted", "The store", *ASKED],
        "2 clean and 1 corrupted prompts; give the same number of each",
    ),
    "no corrupted prompt": (["activation-patching", *SHORT, *ASKED], "needs a corrupted prompt; give one"),
    "several tokens": (
        ["logit-lens", *SHORT, "--target", " Mary and John"],
        "the answer ' Mary and John' is 3 tokens long; give a single token, such as its first: ' Mary'",
    ),
    "empty target": (["logit-lens", *SHORT, "--target", ""], "the answer is empty; give one token, such as ' Mary'"),
    "missing target": (
        ["activation-patching", *SHORT, "--corrupted", "The store"],
        "activation-patching measures an answer; give a target, such as ' Mary'",
    ),
    "contrast alone": (["logit-lens", *SHORT, "--contrast", " John"], "--contrast goes with --target; give that too"),
    "no contrast": (["task-accuracy", *SHORT, "--target", " is"], "compares two answers; give a contrast"),
    "too many targets": (
        ["logit-lens", *SHORT, "--target", " is", "--target", " are"],
        "2 answers for 1 prompts; give one for each prompt, or one for all",
    ),
    "unknown engine": (["nonsense", *SHORT], "there is no engine 'nonsense'; choose one of logit-lens, "),
    "unknown model": (["logit-lens", "--model", "/nowhere", *SHORT], "no folder /nowhere; give a folder"),
    "unknown hub model": (["logit-lens", "--model", "no/such", *SHORT], "cannot load 'no/such': .* check the name"),
    "unknown dtype": (["logit-lens", *SHORT, "--dtype", "int8"], "unknown dtype 'int8'; choose one of float32"),
    "unknown device": (
        ["logit-lens", *SHORT, "--device", "abacus"],
        "the device 'abacus' is not available .*; leave it out",
    ),
    "unknown task": (["task-accuracy", "--task", "nonsense"], "there is no task 'nonsense'; choose one of ioi, "),
    "unknown task option": (
        ["task-accuracy", "--task", "ioi", "--task-option", "zzz=1"],
        "ioi has no option 'zzz'; it has ",
    ),
    "task option without value": (
        ["task-accuracy", "--task", "ioi", "--task-option", "order"],
        "--task-option 'order' is not NAME=VALUE",
    ),
    "no prompts of a task": (
        ["task-accuracy", "--task", "ioi", "--n", "0"],
        "ioi, n = '0': Input should be .* 1; it takes numbers from 1 to 10,000",
    ),
    "number in words": (
        ["task-accuracy", "--task", "ioi", "--n", "x"],
        "ioi, n = 'x': Input should be a valid integer",
    ),
    "task and prompt": (["logit-lens", *SHORT, "--task", "ioi"], "both --prompt and --task are given; use one"),
    "target of a task": (["logit-lens", "--task", "ioi", "--target", " is"], "--target goes with --prompt"),
    "n without a task": (["logit-lens", *SHORT, "--n", "3"], "--n goes with --task; give that too, or leave --n out"),
    "unknown option": (
        ["logit-lens", *SHORT, "--nonsense", "1"],
        "unrecognized arguments: --nonsense 1; see `interp run",
    ),
    "shortened option": (["logit-lens", *SHORT, "--form", "csv"], "unrecognized arguments: --form csv"),
    "value of an option": (
        ["logit-lens", *SHORT, "--top", "0"],
        "logit-lens, top = '0': Input should be greater than or equal to 1; it takes numbers from 1 to 1,000,000",
    ),
    "choice of an option": (
        ["ablation", *SHORT, "--how", "max"],
        "ablation, how = 'max': Input should be 'resample', ",
    ),
    "too many tokens": (["logit-lens", *SHORT, "--top", "9999"], "top = 9999: .* knows 326 tokens"),
    "unknown layer": (
        ["attention", *SHORT, "--layers", "-1"],
        "layers.0 = '-1': Input should be greater than or equal to 0",
    ),
    "not a layer": (["attention", *SHORT, "--layers", "a"], "layers.0 = 'a': Input should be a valid integer"),
    "not a node": (["ablation", *SHORT, "--nodes", "zz"], "'zz' is not a node; write a head as a23.3"),
    "unknown node": (["ablation", *SHORT, "--nodes", "a9.9"], "has no node a9.9; layers run from 0 to 2"),
    "unknown format": (["logit-lens", *SHORT, "--format", "xml"], "argument --format: invalid choice: 'xml'"),
    "file without a name": (["logit-lens", *SHORT, "--out", ""], "is not a file name; give one"),
    "file that cannot be written": (["logit-lens", *SHORT, "--out", "/proc/none/result"], "cannot write /proc/none/"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_line(case, interp, checkpoint):
    arguments, message = REFUSED[case]
    found = interp("run", arguments[0], "--model", checkpoint("llama"), *arguments[1:])
    assert found.code == 2
    assert re.fullmatch(rf"interp: .*{message}.*\n", found.err)
    assert not found.out or "--out" in arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND; see `interp --help`"),
        (["run"], "the following arguments are required: engine; see `interp run --help`"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["show", "/nowhere"], "no result at /nowhere.nc; give the path that `save` returned"),
        (["show", ""], "is not a file name"),
        (["models", "pull", "nonsense"], "'nonsense' is not a packaged model; these are: smollm2-135m"),
        (["dashboard", "--port", "high"], "argument --port: invalid int value: 'high'"),
    ],
)
def test_bad_commands_are_one_line(arguments, message, interp):
    found = interp(*arguments)
    assert found.code == 2
    assert found.out == ""
    assert re.fullmatch(rf"interp: .*{re.escape(message)}.*\n", found.err)


def test_a_corrupt_result_file(printed, interp, tmp_path):
    path = tmp_path / "result.nc"
    printed("head-scores", *PROMPT, "--format", "none", "--out", path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:1000], whole[: len(whole) - 100], b"layer,head\n0,1\n"):
        path.write_bytes(damaged)
        found = interp("show", path)
        assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
        assert f"{path} is damaged or not a result file" in found.err


def test_a_model_that_the_engine_cannot_treat(interp, checkpoint):
    found = interp("run", "logit-lens", "--model", checkpoint("bert-classifier"), *PROMPT)
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert "logit-lens does not support" in found.err
