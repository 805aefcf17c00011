"""`interp train siit` and `interp train program`: what they say, their refusals, and that a killed one goes on."""

import json
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

SMALL = ("--steps", 6, "--batch", 8, "--width", 8, "--head-size", 4, "--neurons", 8, "--checkpoint", 2)
QUICK = ("--steps", 6, "--batch", 8, "--inputs", 50, "--layers", 1, "--heads", 1, "--counts", 1, "--tables", 1)


def test_a_student_and_what_is_said_of_it(interp, tmp_path):
    out = tmp_path / "student"
    command = ("train", "siit", "shift", *SMALL, "--out", out)
    run = interp(*command)
    assert (run.code, run.out) == (0, f"{out}\n")
    report = json.loads((out / "report.json").read_text())
    accuracy, effects, warning = run.err.splitlines()
    assert accuracy.startswith(f"accuracy {report['accuracy']:.4f}, interchange accuracy ")
    assert " outside the circuit: " in effects
    assert warning.startswith("warning: it falls short in accuracy")
    again = interp(*command)
    assert (again.code, again.err) == (0, run.err)


def test_a_program_and_what_is_said_of_it(interp, tmp_path):
    out = tmp_path / "program"
    run = interp("train", "program", "dyck1", *QUICK, "--out", out)
    assert (run.code, run.out) == (0, f"{out}\n")
    assert run.err.startswith("accuracy 0.")
    assert run.err.endswith(f"(published, for larger inputs: 0.9930); the program is {out / 'program.py'}\n")


@pytest.mark.slow
def test_killed_and_started_again(interp, tmp_path):
    rest = ("--steps", 400, "--batch", 8, "--width", 8, "--head-size", 4, "--neurons", 8, "--checkpoint", 2)
    assert interp("train", "siit", "shift", *rest, "--out", tmp_path / "whole").code == 0
    out = tmp_path / "killed"
    command = ["train", "siit", "shift", *rest, "--out", out]
    process = subprocess.Popen(
        [sys.executable, "-m", "interp.cli", *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    while not (out / "checkpoint.safetensors").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.stderr.read()
    process.communicate()
    assert not (out / "model.safetensors").exists()
    assert interp(*command).code == 0
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert all(one[name].equal(other[name]) for name in one)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["siit", "shift", "--steps", "none"], "steps = 'none'"),
        (["siit", "shift", "--steps", "0"], "steps = '0'"),
        (["siit", "shift", "--strict", "0.9"], "interchange = 0.35 and strict = 0.9 exceed 1 together"),
        (["siit", "constant"], "no node of constant has an effect"),
        (["siit", "nowhere/"], "nowhere"),
        (["siit"], "see `interp train siit --help`"),
        (["program", "sorted"], "no task 'sorted' to learn a program for; choose one of reverse"),
        (["program", "sort", "--heads", "0"], "heads = '0'"),
        (["other"], "see `interp train --help`"),
    ],
)
def test_refusals(arguments, says, interp, tmp_path):
    run = interp("train", *arguments, *(["--out", tmp_path / "out"] if len(arguments) > 1 else []))
    assert (run.code, run.out) == (2, "")
    assert says in run.err.splitlines()[-1]
    assert run.err.splitlines()[-1].startswith("interp: ")
    assert not (tmp_path / "out").exists()
