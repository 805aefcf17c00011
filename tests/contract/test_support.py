"""What is kept of a model's engines between loads."""

from interp.checks import remember, remembered
from interp.engines import engines_of_one_model
from interp.models.inventory import files_of


def test_a_check_by_other_engines_is_no_check(monkeypatch, tmp_path):
    monkeypatch.setenv("INTERP_CACHE", str(tmp_path))
    files, held = files_of("rasp/hist"), dict.fromkeys(engines_of_one_model(), "")
    remember(files, held)
    assert remembered(files) == held
    remember(files, held | {"acdc-3": ""})
    assert remembered(files) is None
    held.pop("acdc")
    remember(files, held)
    assert remembered(files) is None
