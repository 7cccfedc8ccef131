"""Attributes of decisions: read, audited and drawn as going through every table says."""

import itertools
import math
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import intlmodels as im
import smallcounts
from decaystudies import COUNTS, count_rows, write_counts_study
from decaytrees import text_of
from intlmodels.audit import attribute_text, audit_attributes, require_consistent_counts
from intlmodels.audit import audit as audit_counts
from intlmodels.audit.attributes import MORE, NONE, audit_attribute
from intlmodels.audit.consequences import cheapest
from intlmodels.claims.ledger import evaluate
from intlmodels.core.errors import StudyError
from intlmodels.fitting.diagnostics import Gate
from intlmodels.report import decay as report
from intlmodels.report.data import DecayReportData
from intlmodels.results import attributes as results
from intlmodels.studies import load_study
from intlmodels.studies.attributes import Attribute, AttributeCount
from intlmodels.studies.claims import CANNOT
from intlmodels.studies.counts import FLAGS, RELATIONS, Count, rows

FIRMS, PERIODS = ("A", "B"), ("x", "y")
ALL = {"firms": FIRMS, "periods": PERIODS, "flags": FLAGS}
RHO = 0.1


def count(name, value, *levels, relation="equal", **more):
    given = {**ALL, "relation": relation, "value": value, **more}
    return AttributeCount(name, **given, levels=levels) if levels else Count(name, **given)


def small(*counts, firms=FIRMS, periods=PERIODS):
    """What is read of a study."""
    return SimpleNamespace(
        firms=firms,
        periods=periods,
        counts=counts,
        groups={"large": firms[:1], "other": firms[1:]} if len(firms) > 1 else {},
        rho=RHO,
        concentration=1.0,
        period_weights=(1 / len(periods),) * len(periods),
    )


def attribute(*counts, levels=("a", "b", "c"), several=False, flags=FLAGS):
    return Attribute("name", "name", levels, several, flags, counts)


# -- draws -------------------------------------------------------------------------------


def labellings(own, table):
    """Every way to give one of some levels to the decisions of a table.

    Levels of each decision (way, decision), decisions by level and cell (way, level, cell), and the
    probability of each way together with the counts.
    """
    inside = np.isin([flag for *_, flag in itertools.product(FIRMS, PERIODS, FLAGS)], own.flags)
    cells = np.repeat(np.arange(8), table.ravel() * inside)
    n, k = len(cells), len(own.levels)
    ways = np.array([*itertools.product(range(k), repeat=n)], int).reshape(k**n, n)
    made = np.zeros((len(ways), k, 8), int)
    for way, levels in zip(made, ways, strict=True):
        np.add.at(way, (levels, cells), 1)
    same = [math.factorial(n) / math.prod(map(math.factorial, w)) for w in made.sum(axis=2)]
    weight = 1 / np.array(same) / math.comb(n + k - 1, k - 1)
    system = rows(own.counts, FIRMS, PERIODS)
    for row, i in enumerate(system.count):
        some = made[:, [own.levels.index(level) for level in own.counts[i].levels]].sum(axis=1)
        gap = some @ system.member[row] - system.printed[row]
        off = [abs(gap), np.maximum(-gap, 0), np.maximum(gap, 0)][system.relation[row]]
        weight = weight * np.where(
            off > 0, 0.0 if system.hard[row] else RHO ** off.astype(float), 1
        )
    return ways, made, weight


def one_by_one(own):
    """An attribute with several levels as one for each level."""
    for level in own.levels:
        counts = tuple(c for c in own.counts if c.levels == (level,))
        yield attribute(*counts, levels=(level, "rest"), flags=own.flags)


def random_attribute(rng, several):
    """An attribute with a few counts that overlap at random."""
    flags = FLAGS if rng.random() < 0.6 else ("yes",)
    levels = ("a", "b", "c")[: int(rng.integers(2, 4))]

    def some(names, least=1):
        return tuple(rng.permutation(names)[: int(rng.integers(least, len(names) + 1))].tolist())

    counts = [
        count(
            f"C{i}",
            int(rng.integers(0, 3)),
            *(some(levels)[:1] if several or rng.random() < 0.6 else some(levels)),
            firms=FIRMS if rng.random() < 0.5 else some(FIRMS),
            periods=PERIODS if rng.random() < 0.5 else some(PERIODS),
            flags=flags if rng.random() < 0.5 else some(flags),
            relation=RELATIONS[int(rng.choice(3, p=[0.6, 0.2, 0.2]))],
            hard=bool(rng.random() < 0.2),
            each=bool(rng.random() < 0.2),
        )
        for i in range(int(rng.integers(0, 5)))
    ]
    return attribute(*counts, levels=levels, several=several, flags=flags)


def check_frequencies(found, expected, n):
    """Draws of something, against its exact probabilities."""
    times = Counter(found)
    assert set(times) <= {value for value, chance in expected.items() if chance > 0}
    for value, chance in expected.items():
        assert abs(times[value] / n - chance) < 5.5 * math.sqrt(chance * (1 - chance) / n) + 1e-12


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_draws_are_those_of_every_way_to_give_levels(several, seed):
    rng = np.random.default_rng([seed, several])
    study, n = small(), 4000
    own = random_attribute(rng, several)
    table = rng.multinomial(4, np.full(8, 1 / 8)).reshape(2, 2, 2)
    singles = [*one_by_one(own)] if several else [own]
    exact = [labellings(one, table) for one in singles]
    chance = math.prod(weight.sum() for _, _, weight in exact)
    tables = np.repeat(table[None], n, axis=0)
    if chance == 0:
        with pytest.raises(StudyError, match="no table of decisions that the fit drew allows"):
            results.weighted(study, own, tables, rng)
        return
    shares = [results._Shares(study, one) for one in results._one_by_one(own)]
    log = sum(one.log_probabilities(table[None])[0] for one in shares)
    assert math.exp(log) == pytest.approx(chance, rel=1e-9)

    drawn = results.sample(study, own, tables, rng)
    made = drawn.made.reshape(n, len(own.levels), 8)
    for i, (_, ways, weight) in enumerate(exact):
        expected = Counter()
        for way, w in zip(ways, weight / weight.sum(), strict=True):
            expected[way[0].tobytes() if several else way.tobytes()] += w
        seen = made[:, i] if several else made
        check_frequencies([one.tobytes() for one in seen.astype(int)], expected, n)
    if several:
        together = Counter()
        for choice in itertools.product(*(range(len(w)) for _, _, w in exact)):
            w = math.prod(e[2][i] / e[2].sum() for e, i in zip(exact, choice, strict=True))
            has = sum((e[0][i] == 0).astype(int) for e, i in zip(exact, choice, strict=True))
            together[int((has == 0).sum()), int((has > 1).sum())] += w
        pairs = [*zip(drawn.none.tolist(), drawn.more.tolist(), strict=True)]
        check_frequencies(pairs, together, n)


def test_tables_weigh_as_much_as_the_counts_are_probable_in_them():
    rng = np.random.default_rng(3)
    own = attribute(
        count("one", 1, "a", firms=("A",), hard=True),
        count("two", 2, "b", periods=("x",)),
        count("some", 2, "a", "c", flags=("yes",), relation="at least"),
    )
    each = rng.multinomial(4, np.full(8, 1 / 8), size=6).reshape(-1, 2, 2, 2)
    each[0] = [np.zeros((2, 2)), each[0].sum(axis=0)]
    chance = np.array([labellings(own, table)[2].sum() for table in each])
    assert np.count_nonzero(chance) == 5  # no decision of firm A in the first
    n = 12_000
    found, effective = results.weighted(small(), own, np.repeat(each, n // 6, axis=0), rng)
    chance /= chance.sum()
    expected = {table.tobytes(): 0.0 for table in each}
    for table, part in zip(each, chance, strict=True):
        expected[table.tobytes()] += part
    # Systematic resampling: hardly further from the weights than one draw.
    times = Counter(table.tobytes() for table in found)
    assert all(abs(times[key] - n * part) <= 2 for key, part in expected.items())
    assert effective == pytest.approx(n / 6 / (chance**2).sum(), rel=1e-9)
    # Counts of all decisions only, of which every table has as many, leave the draws as they are.
    totals = attribute(count("one", 1, "a", hard=True), count("two", 2, "b"))
    same, effective = results.weighted(small(), totals, each, rng)
    assert same is each
    assert effective == 6


def test_the_prior_spreads_decisions_over_firms_and_periods_as_that_of_tables_does():
    rng = np.random.default_rng(4)
    n, total = 20_000, 5
    tables = results.prior_tables(small(), attribute(flags=("yes",)), np.full(n, total), rng)
    assert tables.shape == (n, 2, 2, 2)
    assert not tables[..., 0].any()
    assert (tables.sum(axis=(1, 2, 3)) == total).all()
    # An urn of two firms: all numbers of one are equally likely; periods by their chances.
    of_a = tables[:, 0].sum(axis=(1, 2)).tolist()
    check_frequencies(of_a, dict.fromkeys(range(total + 1), 1 / (total + 1)), n)
    early = tables[:, :, 0].sum(axis=(1, 2)).tolist()
    check_frequencies(early, {i: math.comb(total, i) / 2**total for i in range(total + 1)}, n)


def test_counts_that_overlap_too_much_are_refused(monkeypatch):
    monkeypatch.setattr(results, "MOST_NUMBERS", 5)
    own = attribute(count("one", 2, "a", firms=("A",)), count("two", 2, "a", periods=("x",)))
    with pytest.raises(StudyError, match="overlap so much"):
        results.weighted(small(), own, np.ones((1, 2, 2, 2), int), np.random.default_rng(1))


# -- the audit ---------------------------------------------------------------------------


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_audit_agrees_with_every_table(several, seed):
    rng = np.random.default_rng([seed, several, 1])
    firms, periods = FIRMS[: 1 if several else 2], ("x",)
    whole = {"firms": firms, "periods": periods}
    levels = ("a", "b") if several else ("a", "b", "c")
    counts = [count("all", 2, hard=True, **whole)]
    counts.append(count("yes", int(rng.integers(1, 3)), flags=("yes",), **whole))
    counts.append(count("A", int(rng.integers(0, 3)), **{**whole, "firms": ("A",)}))
    own = []
    for i in range(3):
        of = firms if rng.random() < 0.5 else (str(rng.choice(firms)),)
        named = (str(rng.choice(levels)),)
        own.append(
            count(
                f"C{i}",
                int(rng.integers(0, 3)),
                *named,
                **{**whole, "firms": of, "flags": ("yes",)},
                relation=str(rng.choice(["equal", "equal", "at least", "at most"])),
                each=bool(rng.random() < 0.3),
            )
        )
    study = small(*counts, firms=firms, periods=periods)
    tried = attribute(*own, levels=levels, several=several, flags=("yes",))
    # Values that no cell needs, even where the counts are changed.
    every = smallcounts.tables((len(firms), 1), 6 if several else 3, 1 + len(tried.patterns))
    base = rows(counts, firms, periods)
    cost = cheapest(base)[0][0].cost
    found = audit_attribute(study, tried, cost)
    least, repairs = smallcounts.repairs(found.rows, every)
    assert (found.cost, found.added) == (least, least - cost)
    if found.added:
        minimal, _ = smallcounts.subsets(found.rows, every)
        names = {c.id for c in own}
        assert set(found.conflicts) == {ids for ids in minimal if names & set(ids)}
        assert {tuple(r.changes.items()) for r in found.repairs} == repairs
    else:
        assert found.conflicts == found.repairs == ()
    weights = np.stack([cell.weights.ravel() for cell in found.cells])
    assert found.bounds == smallcounts.bounds(found.rows, every, weights, least)
    assert {cell.level for cell in found.cells} == {*levels, *([MORE, NONE] if several else [])}


# -- from a folder to a table ------------------------------------------------------------

WAYS = (
    {"id": "w1", "level": "buy", "value": 2, "status": "hard"},
    {"id": "w2", "level": "build", "periods": "early", "value": 1, "status": "hard"},
)
TABLE = """
[attributes.way]
file = "ways.csv"
label = "ways to enter"
levels = ["buy", "build"]
remainder = "other"
"""


def folder_of(path, ways=WAYS, table=TABLE, counts=COUNTS):
    return write_counts_study(
        path / "study", counts=counts, toml=table, files={"ways.csv": count_rows(ways)}
    )


def test_a_study_is_read_audited_and_checked(tmp_path):
    study = load_study(folder_of(tmp_path))
    own = study.attributes["way"]
    assert own.levels == ("buy", "build", "other")
    assert [(c.levels, c.value, c.periods) for c in own.counts] == [
        (("buy",), 2, ("early", "late")),
        (("build",), 1, ("early",)),
    ]
    assert any("ways to enter; one for each decision" in line for line in study.lines())
    require_consistent_counts(study)
    found = audit_attributes(study, audit_counts(rows(study.counts, study.firms, study.periods)))
    text = attribute_text(found[0])
    assert text.startswith("Ways to enter: 2 counts, which contradict no other.")
    assert "  build: 1 to 3; " in text  # of the four early ones one, of the two late ones any


def test_a_contradiction_is_named_with_its_repair(tmp_path):
    ways = ({**WAYS[0], "value": 4, "status": "noisy"}, {**WAYS[1], "value": 3, "status": "noisy"})
    study = load_study(folder_of(tmp_path, ways))
    require_consistent_counts(study)
    found = audit_attributes(study, audit_counts(rows(study.counts, study.firms, study.periods)))
    text = attribute_text(found[0])
    assert "not all of which can be true together with the others" in text
    assert "w1 from 4 to 3 (total change 1)" in text


def fit_of(study, n=2000):
    """A fit with nothing but tables: four early decisions, two late ones."""
    rng = np.random.default_rng(5)
    made = [rng.multinomial(n_made, np.full(6, 1 / 6), n).reshape(n, 3, 2) for n_made in (4, 2)]
    dims = ("chain", "draw", "firm_level", "period_level", "flag")
    posterior = xr.Dataset({"table": (dims, np.stack(made, axis=2)[None])})
    fit = xr.DataTree.from_dict({"posterior": posterior, "constant_data": xr.Dataset()})
    fit["estimands"] = posterior
    fit.attrs |= {"model": "decay", "seed": 1, "gate": Gate(()).to_json()}
    return fit


def test_the_table_of_a_fit_has_bounds_posterior_prior_and_verdict(tmp_path):
    study = load_study(folder_of(tmp_path))
    found = audit_attribute(study, study.attributes["way"], 0)
    table = results.attribute_table(study, found, fit_of(study))
    known = table.set_index(["level", "name", "period", "flag"])
    assert known.loc[("buy", "all", "all", "both"), "verdict"] == results.KNOWN
    assert known.loc[("buy", "all", "all", "yes"), "verdict"] == results.NOT_IDENTIFIED
    early = known.loc[("build", "all", "early", "both")]
    assert (early["verdict"], early["mean"]) == (results.KNOWN, 1)
    row = known.loc[("build", "all", "all", "both")]
    assert (row["low"], row["high"]) == (1, 3)
    assert row["verdict"] == results.BOUNDED
    assert 1 < row["mean"] < 2
    assert (row["prior_low"], row["prior_high"]) == (0, 4)  # besides the two that are bought


def test_the_section_of_the_report(tmp_path):
    more = {**WAYS[1], "id": "w3", "value": 5, "status": "noisy"}
    study = load_study(folder_of(tmp_path, (*WAYS, more)))
    fit = fit_of(study)
    made = report.attributes(DecayReportData(study, fit, {"default": fit}))
    assert made["number"] == "21"
    (one,) = made["attributes"]
    assert any("w2" in text and "w3" in text for text in one["conflicts"])
    assert {row[0] for row in one["rows"]} <= {"buy", "build", "other"}
    text = text_of("attributes", made)
    assert "by size, and flagged or not: 21 numbers, of which 1 follows from the counts" in text
    assert "not identified" in text
    assert "repaired" not in text
    assert "Not all counts of ways to enter can be true together with the others:" in text


def test_a_section_without_a_posterior_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "MOST_PAIRS", 1)
    study = load_study(folder_of(tmp_path))
    fit = fit_of(study)
    data = DecayReportData(study, fit, {"default": fit})
    text = text_of("attributes", report.attributes(data))
    assert text.startswith("No posterior of ways to enter: counts of an attribute that overlap")
    assert "Of 21" not in text
    assert report.attributes(DecayReportData(replace(study, attributes={}), fit, {})) is None


CLAIM = """
[[claims]]
id = "C"
text = "A number of decisions with a level"
rule = "number of decisions"
attribute = "way"
"""


def asked(path, keys, counts=COUNTS):
    """What a claim on the made-up study finds."""
    study = load_study(folder_of(path, table=TABLE + CLAIM + keys, counts=counts))
    return evaluate(study, {"default": fit_of(study)}).iloc[0]


def chance_of_building(least):
    """Probability of at least so many decisions to build, going through every way."""
    built, weight = [], []
    for ways in itertools.product(range(3), repeat=6):  # four early decisions, two late ones
        n = [ways.count(level) for level in range(3)]
        if n[0] == 2 and ways[:4].count(1) == 1:
            built.append(n[1])
            weight.append(math.prod(map(math.factorial, n)))
    return np.average(np.array(built) >= least, weights=weight)


def test_a_claim_asks_for_a_number_of_decisions(tmp_path):
    row = asked(tmp_path / "a", 'level = "build"\nleast = 2')
    assert row["how"].endswith("number of all decisions with build (ways to enter): ≥ 2")
    assert row["verdict"] == "undecided"
    assert row["numbers"].startswith("1 to 3 decisions by the counts alone (required: ≥ 2); ")
    exact = chance_of_building(2)
    assert abs(row["probability"] - exact) < 4 * math.sqrt(exact * (1 - exact) / 2000)
    # As if each number of decisions to build, bought ones being two, were as likely: 0 to 4.
    assert abs(row["prior_probability"] - 3 / 5) < 4 * math.sqrt(0.24 / 2000)
    early = 'level = "build"\nof = {periods = ["early"]}\n'
    row = asked(tmp_path / "b", f"{early}equal = 1")
    assert row["verdict"] == "agrees with the printed counts"
    assert row["how"].startswith("number of decisions of all firms (early) with build")
    row = asked(tmp_path / "c", f"{early}least = 2")
    assert row["verdict"] == "differs from the printed counts"
    assert math.isnan(row["probability"])
    late = 'level = "buy"\nof = {periods = ["late"]}\nleast = 1'
    row = asked(tmp_path / "d", late)
    assert row["verdict"] == CANNOT
    assert row["numbers"].startswith("0 to 2 decisions by the counts alone (required: ≥ 1); the")
    assert row["numbers"].endswith("the totals alone leave it about as open")


def test_a_claim_without_a_posterior_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "MOST_PAIRS", 1)
    row = asked(tmp_path, 'level = "build"\nleast = 2')
    assert row["verdict"] == CANNOT
    assert "; counts of an attribute that overlap so much" in row["numbers"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('level = "rent"\nleast = 1', "what is counted of way, one of 'buy', 'build', 'other'"),
        ('level = "buy"', "equal: key is missing"),
        ('level = "buy"\nequal = 1\nof = {periods = ["soon"]}', "expected a period"),
    ],
)
def test_a_bad_claim_on_an_attribute_is_refused_in_one_line(tmp_path, keys, says):
    with pytest.raises(StudyError) as error:
        asked(tmp_path, keys)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_claim_on_an_attribute_names_one_that_is_there(tmp_path):
    table = TABLE + CLAIM.replace('"way"', '"wey"') + 'level = "buy"\nequal = 1'
    with pytest.raises(
        StudyError,
        match=r"expected a table \[attributes.NAME\] \(did you mean 'way'\?\); the study has 'way'",
    ):
        load_study(folder_of(tmp_path / "a", table=table))
    several = TABLE.replace('remainder = "other"', "several = true") + CLAIM
    keys = 'level = "none of these"\nequal = 1\nof = {periods = ["early"]}'
    folder = folder_of(tmp_path / "b", table=several + keys)
    with pytest.raises(StudyError, match="is of all ways to enter together: delete the key"):
        load_study(folder)


def test_the_public_table_has_all_attributes(tmp_path):
    study = load_study(folder_of(tmp_path))
    table = im.attribute_table(study, fit_of(study), prob=0.5)
    alone = results.attribute_table(
        study, audit_attribute(study, study.attributes["way"], 0), fit_of(study), 0.5
    )
    assert table.equals(alone)
    with pytest.raises(StudyError, match="this study has no attributes"):
        im.attribute_table("rochester", fit_of(study))
    other = fit_of(study)
    other["posterior"] = other["posterior"].to_dataset().isel(period_level=slice(1))
    with pytest.raises(StudyError, match="no tables of decisions over the firms and periods"):
        im.attribute_table(study, other)


def test_motives_of_the_paper_on_norway():
    study = load_study("norway")
    found = audit_attribute(study, study.attributes["other_motive"], 2)
    assert found.added == 0
    bounds = {
        (cell.level, cell.name): bound
        for cell, bound in zip(found.cells, found.bounds, strict=True)
        if cell.period == "all"
    }
    # 22 motives of 15 decisions: two with all five or four of them, or eleven with two.
    assert bounds[MORE, "all"] == (2, 11)
    assert bounds[NONE, "all"] == (0, 7)
    # 15 less the 10 of the large firms are five of the others: of eight, three are not theirs.
    assert bounds["market opportunity", "large"] == (3, 8)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"level": "rent"}, "'rent' is none"),
        ({"level": ""}, "expected what is counted, one of buy, build, other"),
        ({"firms": "Ann"}, "expected names of firms, but 'Ann' is none"),
        ({"periods": "soon"}, "expected names of periods, but 'soon' is none"),
        ({"id": "early"}, "counts.csv, row 4 has this id"),
        ({"value": "2.5"}, "expected a whole number"),
        ({"flag": "maybe"}, "expected one of 'no', 'yes'"),
    ],
)
def test_a_bad_count_is_refused_in_one_line(tmp_path, change, says):
    with pytest.raises(StudyError) as error:
        load_study(folder_of(tmp_path, [{**WAYS[0], "firms": "", "flag": "", **change}]))
    assert says in str(error.value)
    assert "ways.csv, row 2" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('levels = ["buy"]', "expected 2 to 20 different levels"),
        ('levels = ["buy", "buy"]', "expected 2 to 20 different levels"),
        ('levels = ["buy", "a;b"]', "expected levels without ';'"),
        ('levels = ["buy", "build"]\nremainder = "buy"', "expected a name that is not among"),
        ('levels = ["buy"]\nseveral = true\nremainder = "x"', "may have none of several levels"),
        ('levels = ["a", "b", "c", "d", "e", "f", "g"]\nseveral = true', "expected 1 to 6"),
        ('levels = ["buy", "build"]\nflag = "maybe"', "expected one of 'yes', 'no'"),
        ('levels = ["buy", "build"]\nmany = true', "unknown key"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(tmp_path, table, says):
    with pytest.raises(StudyError) as error:
        load_study(folder_of(tmp_path, table=f'[attributes.way]\nfile = "ways.csv"\n{table}'))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_levels_of_one_row_and_flags_must_suit_the_attribute(tmp_path):
    toml = '[attributes.way]\nfile = "ways.csv"\nlevels = ["buy", "build"]\n'
    two = folder_of(tmp_path / "a", [{**WAYS[0], "level": "buy; build"}], f"{toml}several = true")
    with pytest.raises(StudyError, match="expected one in each row"):
        load_study(two)
    other = folder_of(tmp_path / "b", [{**WAYS[0], "flag": "no"}], f'{toml}flag = "yes"')
    with pytest.raises(StudyError, match="is an attribute of decisions with flag yes"):
        load_study(other)


def test_hard_counts_that_exceed_the_total_are_refused(tmp_path):
    ways = ({**WAYS[0], "value": 5}, {**WAYS[1], "value": 2, "periods": ""})
    with pytest.raises(StudyError) as error:
        require_consistent_counts(load_study(folder_of(tmp_path, ways)))
    assert "hard counts that cannot all be true: all (counts.csv, row 2): 6, w1" in str(error.value)
