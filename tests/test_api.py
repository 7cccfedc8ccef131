"""Functions for notebooks that do more than call another one."""

import pytest

import intlmodels as im
import madetrust
from decaytrees import decay_tree
from intlmodels.trust import stored
from studies import write_study
from trees import made_up, share_positive, store_fits


@pytest.fixture
def study(tmp_path):
    return im.load_study(write_study(tmp_path / "study"))


def test_differences_are_those_of_the_model(study):
    table = im.differences(made_up(study, {"ease": share_positive(0.75)}))
    ease = table[table["predictor"] == "ease"].iloc[0]
    assert ease["p_positive"] == pytest.approx(0.75)
    assert ease["ci_prob"] == 0.95
    table = im.differences(decay_tree(known=True), prob=0.8)
    assert set(table["quantity"]) == {"fall", "decay"}
    assert set(table["ci_prob"]) == {0.8}


def test_findings_that_were_stored_are_read(study, tmp_path):
    out = tmp_path / "out"
    store_fits(study, out, default=made_up(study))
    with pytest.raises(im.StudyError, match="calibration: it was not computed yet"):
        im.read_trust(study, out)
    stored.write("sensitivity", madetrust.sensitivity(), study, {}, out)
    found = im.read_trust(study.folder, out)
    assert set(im.trust_tables(found)) == {"sensitivity.csv", "power_scaling.csv"}
    assert found.calibration.reasons == ("it was not computed yet",)


def test_findings_of_another_study_are_not_read(study, tmp_path):
    out = tmp_path / "out"
    stored.write("calibration", madetrust.calibration(), study, {"phi": "Gamma(2, 0.1)"}, out)
    with pytest.raises(im.StudyError, match=r"calibration: .*phi"):
        im.read_trust(study, out)
