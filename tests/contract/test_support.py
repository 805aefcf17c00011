"""What is kept of a model's engines between loads."""

from interp.checks import remember, remembered
from interp.engines import all_engines
from interp.models.inventory import files_of


def test_a_check_by_other_engines_is_no_check(monkeypatch, tmp_path):
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))
    files, held = files_of("rasp/hist"), dict.fromkeys(all_engines(), "")
    remember(files, held)
    assert remembered(files) == held
    remember(files, held | {"acdc-3": ""})
    assert remembered(files) is None
    held.pop("acdc")
    remember(files, held)
    assert remembered(files) is None
