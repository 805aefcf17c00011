"""The package as a whole: what it loads, what it offers, what its README says."""

import dataclasses
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import interp
from interp.cli.listing import engines_as_markdown, scores_as_markdown
from interp.engines import all_engines

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "transformer_lens", "plotly", "dash", "xarray", "pandas", "scipy", "pydantic")


@pytest.mark.parametrize(
    "statement",
    [
        "import interp",
        "import interp; dir(interp); interp.__doc__",
        "from interp.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from interp.cli import main\nmain(['nonsense'])",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(statement):
    code = f"{statement}\nimport sys\nprint('loaded:', *(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"


@pytest.mark.parametrize("name", interp.__all__)
def test_public_names_are_there_and_documented(name):
    assert (inspect.getdoc(getattr(interp, name)) or "").strip()
    assert name in dir(interp)


def test_every_public_name_is_listed():
    assert interp.__all__ == sorted(interp.__all__)
    known = {*interp._HOMES, *interp._FAMILIES}
    assert known == set(interp.__all__)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'interp' has no attribute 'nonsense'"):
        interp.nonsense  # noqa: B018


@pytest.mark.parametrize("name", all_engines())
def test_engines_are_reached_by_name_from_their_family(name):
    """`interp.circuits.activation_patching` is the record that the command line calls `activation-patching`."""
    spec = all_engines()[name]
    assert re.fullmatch("[a-z]+(-[a-z]+)*", name)
    families = [getattr(interp, family) for family in interp._FAMILIES]
    assert [f for f in families if getattr(f, name.replace("-", "_"), None) is spec], f"no family exports {name}"


@pytest.mark.parametrize("name", all_engines())
def test_help_shows_the_engine_rather_than_its_record(name):
    """Parameters, every option with type, default and meaning, what is returned, and the source."""
    spec = all_engines()[name]
    shown = inspect.signature(spec)
    options = {field.name: field.type for field in dataclasses.fields(spec.options)}
    assert set(options) <= set(shown.parameters)
    assert shown.return_annotation is spec.result
    assert ("target" in shown.parameters) == (spec.asks != "nothing")
    assert ("corrupted" in shown.parameters) == (spec.pairs != "none")
    text = pydoc.render_doc(spec, renderer=pydoc.plaintext)
    for word in (f"{name.replace('-', '_')}(model, prompts", f"-> {spec.result.__name__}", "Source: ", *options):
        assert word in text, word
    assert "EngineSpec(" not in text


def test_families_list_what_people_call():
    names = dir(interp.circuits)
    assert {"acdc", "eap_ig", "EdgeExecutor"} <= set(names)
    assert not {"records", "search", "annotations", "ENGINES"} & set(names)
    assert "attnlrp" in dir(interp.attribution)


def test_the_readme_has_the_table_of_engines():
    """As the command prints it: a summary is said once, at the engine."""
    readme = (ROOT / "README.md").read_text()
    assert f"\n\n{engines_as_markdown()}\n<!-- /engines -->" in readme


def test_the_readme_has_the_scorecard():
    assert f"\n\n{scores_as_markdown()}\n<!-- /scorecard -->" in (ROOT / "README.md").read_text()


def test_the_data_have_the_scorecard():
    """A row a model and method, as the run that made the package's file printed it."""
    text = interp.groundtruth.scores().to_frame().to_csv(index=False)
    assert (ROOT / "data" / "scorecard.csv").read_text() == text


def test_versions_agree():
    from importlib.metadata import version

    assert f'version = "{version("interp")}"' in (ROOT / "pyproject.toml").read_text()
