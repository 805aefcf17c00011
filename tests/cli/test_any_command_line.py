"""Any command line ends well, or with exit code 2 and one line: some at random here, thousands with `make fuzz`."""

import json
import os
import re
import subprocess
import sys

import pytest
from fuzz.command_lines import CLEAN, CORRUPTED, Targets, command_line, quick, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interp.core.options import bounds, described_options
from interp.engines import all_engines
from interp.tasks import TASKS
from interp.tasks.spec import Drawn

ASK = ["--prompt", CLEAN, "--corrupted", CORRUPTED, "--target", " Mary", "--contrast", " John"]


@pytest.fixture(scope="module")
def targets(tmp_path_factory, checkpoint):
    folder = tmp_path_factory.mktemp("attacked")
    with quick(folder):
        yield Targets.of(folder, checkpoint("llama"))


@pytest.mark.slow
@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_any_command_line(random, targets):
    ended = run(command_line(random, targets), seconds=60)
    assert not ended.fault, ended


def test_every_number_has_bounds():
    """Of every engine and task, finite at both ends, and told where the option is described."""
    owners = [(spec.name, spec.options) for spec in (*all_engines().values(), *TASKS)]
    for owner, options in [*owners, ("a task", Drawn)]:
        for name, schema in described_options(options).items():
            variants = [part.get("items", part) for part in schema.get("anyOf", [schema])]
            for number in (part for part in variants if part.get("type") in ("integer", "number")):
                assert {"minimum", "exclusiveMinimum"} & number.keys(), (owner, name)
                assert {"maximum", "exclusiveMaximum"} & number.keys(), (owner, name)
                assert bounds(schema) in schema["description"]


@pytest.mark.parametrize("evil", ["nan", "inf", "-inf", "1e39", "9" * 5000])
def test_every_number_refuses(evil, interp, checkpoint):
    for spec in all_engines().values():
        for name, schema in described_options(spec.options).items():
            if bounds(schema):
                flag = f"--{name.replace('_', '-')}"
                found = interp("run", spec.name, "--model", checkpoint("llama"), *ASK[:2], flag, evil)
                assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
                assert f"{name}" in found.err
                assert bounds(schema) in found.err
                assert len(found.err) < 400


NAMED = {
    "a name that is too long": (["logit-lens", *ASK[:2], "--model", "m" * 300], "[Nn]ame too long"),
    "nobody's home": (["logit-lens", *ASK[:2], "--model", "~nouser"], "no home folder for the path '~nouser'"),
    "a folder as GGUF": (["logit-lens", *ASK[:2], "--model", "{folder}/folder.gguf"], "no file .*folder.gguf"),
    "a circuit's long name": (["circuit-evidence", *ASK, "--circuit", "a" * 5000], "characters.….* name too long"),
    "a corpus at nobody's home": (["position-context", "--corpus", "~nouser"], "no home folder"),
    "n as an option of a task": (["logit-lens", "--task", "induction", "--task-option", "n=x"], "n = 'x': .*to 10,000"),
    "model as an option": (["logit-lens", "--task", "ioi", "--task-option", "model=x"], "ioi has no option 'model'"),
    "a device without numbers": (["logit-lens", *ASK[:2], "--device", "meta"], "the device 'meta' is not available"),
    "digits in a node": (["cdt-sources", *ASK[:2], *ASK[4:], "--sources", f"a{'9' * 5000}.0"], "is not a node"),
    "digits in a place": (["attnlrp", *ASK[:2], "--explain", f"z[1]@-1.{'9' * 5000}"], "is not a site of the model"),
    "an answer that is its contrast": (["logit-lens", *ASK[:2], *ASK[4:6], "--contrast", " Mary"], "always zero"),
    "a far position": (["circuit-evidence", *ASK, "--circuit", "{folder}/far.json"], "no position 999,999,999"),
    "a position before all": (["circuit-evidence", *ASK, "--circuit", "{folder}/before.json"], "stands at no position"),
    "layers of no model": (["circuit-evidence", *ASK, "--circuit", "{folder}/layers.json"], "no model has 10,000,000"),
    "heads of no model": (["circuit-evidence", *ASK, "--circuit", "{folder}/heads.json"], "no model has 3 .* 40,000"),
    "brackets": (["circuit-evidence", *ASK, "--circuit", "{folder}/deep.json"], "is damaged or not an attribution"),
}


@pytest.mark.parametrize("case", NAMED)
def test_one_line_that_names_it(case, interp, targets):
    (engine, *arguments), message = NAMED[case]
    words = [word.format(folder=targets.folder) for word in arguments]
    found = interp("run", engine, *([] if "--model" in words else ["--model", targets.model]), *words)
    assert (found.code, found.out) == (2, "")
    assert re.fullmatch(rf"interp: .*{message}.*\n", found.err), found.err
    assert len(found.err) < 600


@pytest.mark.parametrize("case", [["n=2"], ["n=2", "seed=1"]])
def test_numbers_of_a_task_as_its_options(case, interp, targets):
    options = [word for option in case for word in ("--task-option", option)]
    found = interp("run", "logit-lens", "--model", targets.model, "--task", "induction", *options)
    assert found.code == 0
    assert set(found.table["batch"]) == {0, 1}


def test_one_channel(interp, targets):
    found = interp("run", "head-composition", "--model", targets.model, "--top", "1", "--channels")
    assert (found.code, len(found.table)) == (0, 1)


@pytest.mark.parametrize("engine", ["eap", "eap-ig", "flow-routes"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(engine, dtype, interp, targets):
    ask = ASK[:2] if engine == "flow-routes" else ASK
    half, full = (interp("run", engine, "--model", targets.model, *ask, "--dtype", each) for each in (dtype, "float32"))
    assert half.code == full.code == 0
    error = (half.table["score"] - full.table["score"]).abs().max()
    assert error < 0.05 * full.table["score"].abs().max()


def test_a_carriage_return_is_quoted(interp, targets):
    found = interp("run", "logit-lens", "--model", targets.model, "--prompt", "a\rb", "--top", "1")
    assert len(found.table) == 3 * 3 or len(found.table) == found.out.count("\n") - 1
    assert "\r" in "".join(map(str, found.table["token"]))


def test_an_encoding_that_lacks_a_letter(targets):
    command = [sys.executable, "-m", "interp.cli", "run", "logit-lens", "--model", str(targets.model)]
    done = subprocess.run(
        [*command, "--prompt", "a é 🙂"], capture_output=True, encoding="latin-1", check=False,
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "set PYTHONIOENCODING=utf-8" in done.stderr


def test_a_table_that_is_not_there(interp, targets):
    found = interp("show", targets.folder / "eap.nc", "--table", "x")
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "-1"], "argument --port: -1 is not from 0 to 65,535"),
        (["--port", "65536"], "argument --port: 65536 is not from 0 to 65,535"),
        (["--host", "no.such.invalid", "--password", "x"], "there is no host 'no.such.invalid' to serve on"),
    ],
)
def test_a_dashboard_that_cannot_be_served(words, message, interp, targets):
    found = interp("dashboard", "--model", targets.model, *words)
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert message in found.err


def test_a_circuit_of_another_graph(interp, targets):
    document = json.loads((targets.folder / "circuit.json").read_text())
    document["metadata"]["generation_settings"]["circuit"]["graph"]["layers"] = 5
    (targets.folder / "deeper.json").write_text(json.dumps(document))
    circuit = targets.folder / "deeper.json"
    found = interp("run", "circuit-evidence", "--model", targets.model, *ASK, "--circuit", circuit)
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert "another computation graph" in found.err
