"""The command line on studies of decisions: fits, audits, reconstructions, and bad input."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import intlmodels as im
from decaystudies import COUNTS, write_counts_study, write_decisions_study
from studies import write_study
from test_cli import HEAVY, below, imported, run

SETTINGS = ("--draws", "700", "--tune", "300", "--chains", "2")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A small study of counts, and the folder of its report; fitted by the command line."""
    place = tmp_path_factory.mktemp("counted")
    folder, out = write_counts_study(place / "study"), place / "out"
    with pytest.raises(SystemExit) as stopped:
        im_cli(["fit", str(folder), "--variants", "step,period", "--out", str(out), *SETTINGS])
    return folder, out, stopped.value.code or 0


def im_cli(arguments):
    from intlmodels import cli

    cli.main(arguments)


def test_fit_writes_the_report_of_a_study_of_counts(fitted):
    _, out, code = fitted
    assert code == 0
    written = set(below(out))
    assert {"index.html", "posterior.nc", "report.md", "variants/step.nc"} <= written
    tables = ("curves", "slopes", "cells", "true_counts", "audit_bounds", "audit_conflicts")
    assert {f"tables/{name}.csv" for name in tables} <= written
    assert "DID NOT" not in (out / "report.md").read_text(encoding="utf-8")
    text = (out / "appendix.md").read_text(encoding="utf-8")
    assert text.index("## A1. Audit: can the published counts all be true?") < text.index("## A2.")


def test_a_second_fit_finds_everything_current(fitted, capsys):
    folder, out, _ = fitted
    before = (out / "index.html").stat().st_mtime_ns
    code, _, err = run(capsys, "fit", folder, "--variants", "step", "--out", out, *SETTINGS)
    assert code == 0
    assert "2 variants (default, step): unchanged, not fitted again" in err
    assert (out / "index.html").stat().st_mtime_ns == before
    again = ("fit", folder, "--variants", "step", "--out", out, *SETTINGS)
    # Here the solver's answers may be known from other tests, and were not stored then; a process
    # of its own stores them, the next one reads them.
    imported(HEAVY, *again)
    assert imported(HEAVY, *again) == "[]"


def test_only_a_changed_count_is_told(fitted, capsys, tmp_path):
    _, out, _ = fitted
    changed = [c | {"value": 5} if c["id"] == "early" else c for c in COUNTS]
    folder = write_counts_study(tmp_path / "study", counts=changed)
    code, _, err = run(capsys, "report", folder, "--out", out, "--check")
    assert code == 1
    assert "data of early changed" in err


def test_reconstruct_writes_marked_tables_that_keep_the_hard_counts(fitted, capsys):
    folder, out, _ = fitted
    code, _, err = run(capsys, "reconstruct", folder, "--draws", "20", "--out", out)
    assert code == 0
    assert "20 reconstructed tables of 6 decisions" in err
    with (out / "reconstructed.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 120
    assert {row["status"] for row in rows} == {"reconstructed"}
    for draw in range(1, 21):
        own = [row for row in rows if row["draw"] == str(draw)]
        assert sum(row["flag"] == "yes" for row in own) == 4
        for firm in ("Ash", "Box", "Cob"):
            made = [row for row in own if row["firm"] == firm]
            assert [row["prior_entries"] for row in made] == [str(k) for k in range(len(made))]
            order = [("early", "late").index(row["period"]) for row in made]
            assert order == sorted(order)


def test_reconstruct_needs_a_fit_and_a_sensible_number(fitted, capsys, tmp_path):
    folder, out, _ = fitted
    code, _, err = run(capsys, "reconstruct", folder, "--out", tmp_path / "none")
    assert code == 2
    assert "run intlmodels fit first" in err
    code, _, err = run(capsys, "reconstruct", folder, "--draws", "0", "--out", out)
    assert code == 2
    assert "from 1 to 1400" in err


def test_audit_tells_contradictions_repairs_and_bounds(capsys, tmp_path):
    code, out, _ = run(capsys, "audit", "norway", "--out", tmp_path / "audit")
    assert code == 0
    assert "M04 = 11 and M30 + M33 = 5 + 5 = 10" in out
    assert "M33 from 5 to 6 and M36 from 7 to 6 (total change 2)" in out
    assert "M33 from 5 to 6 and M37 from 0 to 1 (total change 2)" in out
    assert "large, 2008-13, flag no: 6" in out
    assert "Motives of the other decisions: 5 counts, which contradict no other." in out
    assert "more than one of these: 2 to 11" in out
    assert set(below(tmp_path / "audit")) == {
        f"audit_{name}.csv" for name in ("conflicts", "largest", "repairs", "bounds", "attributes")
    }


def test_audit_of_counts_that_agree_says_so(capsys, tmp_path):
    folder = write_counts_study(tmp_path / "study")
    code, out, _ = run(capsys, "audit", folder)
    assert code == 0
    assert "All 7 counts can be true together." in out


def test_audit_of_rochester_holds_its_tables_against_each_other(capsys, tmp_path):
    code, out, _ = run(capsys, "audit", "rochester")
    assert code == 0
    assert "product_line and table2.csv: product_type print the same for 22 of 22" in out
    spec = '[crosschecks.twice]\nkind = "same"\ncolumns = ["{0}: {1}", "{0}: {2}"]\n'
    folder = write_study(tmp_path / "study")
    firms = next(p for p in folder.glob("*.csv"))
    header = firms.read_text(encoding="utf-8").splitlines()[0].split(",")
    toml = folder / "study.toml"
    text = toml.read_text(encoding="utf-8")
    toml.write_text(f"{text}\n{spec.format(firms.name, *header[:2])}", encoding="utf-8")
    code, out, _ = run(capsys, "audit", folder)
    assert code == 0
    assert " print the same for 0 of " in out


def test_a_study_without_anything_to_audit_says_what_is_missing(capsys, tmp_path):
    code, _, err = run(capsys, "audit", write_study(tmp_path / "study"))
    assert code == 2
    assert "crosschecks" in err
    code, _, err = run(capsys, "audit", write_decisions_study(tmp_path / "known"))
    assert code == 2
    assert "there are no counts" in err


def test_contradictory_hard_counts_are_refused_with_the_smallest_conflict(capsys, tmp_path):
    hard = [c | {"status": "hard"} for c in COUNTS]
    hard.append({"id": "late", "periods": "late", "value": 3, "status": "hard"})
    folder, out = write_counts_study(tmp_path / "study", counts=hard), tmp_path / "out"
    for command in ("fit", "check"):
        code, _, err = run(capsys, command, folder, *(["--out", out] if command == "fit" else []))
        assert code == 2
        assert "hard counts that cannot all be true" in err
        assert "all (row 2)" in err
        assert "early (row 4)" in err
        assert "late (row 9)" in err
        assert err.count("\n") == 1
    assert not out.exists()
    code, text, _ = run(capsys, "audit", folder)  # what is wrong can still be looked at
    assert code == 0
    assert "1 minimal contradiction" in text


def test_known_decisions_are_fitted_and_reported_by_the_same_command(capsys, tmp_path):
    rows = [
        (firm, str(1990 + i), "yes" if (i + j) % 3 else "no")
        for j, firm in enumerate(("Ash", "Box", "Cob"))
        for i in range(6)
    ]
    folder = write_decisions_study(tmp_path / "study", decisions=rows)
    out = tmp_path / "out"
    code, _, err = run(capsys, "fit", folder, "--variants", "complete", "--out", out, *SETTINGS)
    assert code == 0, err
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "Audit" not in text
    assert "The 18 decisions of" in text
    code, _, err = run(capsys, "reconstruct", folder, "--out", out)
    assert code == 2
    assert "nothing to reconstruct" in err


def test_public_functions_do_the_same(fitted):
    folder, out, _ = fitted
    fit = im.read_fit(out / "posterior.nc")
    assert len(im.reconstruct(fit, draws=3)) == 18
    assert im.audit_tables(folder)["audit_conflicts.csv"].empty
    assert set(im.estimates(fit)["variable"]) >= {"curve", "fall", "halvings", "true_count"}
    with pytest.raises(im.StudyError, match="share model"):
        im.predict(fit, {})


def test_codes_terms_and_an_order_by_periods_reach_the_report(capsys, tmp_path):
    rng = np.random.default_rng(20261)
    periods = ("early", "late")
    rows = [
        (
            firm,
            periods[int(rng.integers(2))],
            str(rng.choice(["1", "0"])),
            str(rng.choice(["A", "B"])),
        )
        for firm in ("Ash", "Box", "Cob", "Dot")
        for _ in range(6)
    ]
    terms = '[predictors.mode]\nkind = "contrast"\ncolumn = "mode"\nlow = "A"\nhigh = "B"\n'
    folder = write_decisions_study(
        tmp_path / "study",
        decisions=rows,
        columns=("firm", "period", "flag", "mode"),
        periods=periods,
        sizes=["SME", "MNE", "SME", "MNE"],
        toml=terms,
    )
    toml = folder / "study.toml"
    own = {"[firms]": 'sizes = ["SME", "MNE"]', "[outcome]": 'yes = ["1"]\nno = ["0"]'}
    text = toml.read_text()
    for table, keys in own.items():
        text = text.replace(table, f"{table}\n{keys}")
    toml.write_text(text)
    out = tmp_path / "out"
    code, _, err = run(capsys, "fit", folder, "--out", out, *SETTINGS)
    assert code in (0, 1), err  # so few draws need not converge
    text = (out / "report.md").read_text(encoding="utf-8")
    assert "The order follows only from the names of the periods" in text
    assert "**Among MNE firms the data do not decide**" in text
    assert "**Among SME firms the data do not decide**" in text
    text = (out / "appendix.md").read_text(encoding="utf-8")
    assert "Mode, B against A, log odds" in text
    assert "Mode: 1/2 for B" in text
    assert "Differences between levels in percentage points" in text
    assert "| Mode | B − A |" in text
