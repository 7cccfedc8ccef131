"""What to cite for each method: the one place that the report and its BibTeX file take it from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from intlmodels.core.formats import DASH, listed


@dataclass(frozen=True)
class Reference:
    """A publication.

    Attributes
    ----------
    authors : tuple of str
        As ``Family, Given``; a group has no comma.
    year, title : str
        A program has no year.
    kind : str
        Type of the BibTeX entry.
    fields : mapping of str to str
        The rest of the entry, such as ``journal``.
    """

    authors: tuple[str, ...]
    year: str
    title: str
    kind: str = "article"
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def who(self) -> str:
        """Family names, as a sentence lists them."""
        return listed([name.partition(",")[0] for name in self.authors])

    @property
    def text(self) -> str:
        """In one line, without a full stop."""
        year = f" ({self.year})" if self.year else ""
        return ", ".join(filter(None, [f"{self.who}{year}", self.title, self._where]))

    @property
    def _where(self) -> str:
        known = self.fields
        number = f"({known['number']})" if "number" in known else ""
        volume = f" {known['volume']}{number}" if "volume" in known else ""
        pages = f", {known['pages'].replace('--', DASH)}" if "pages" in known else ""
        arxiv = f"arXiv:{known['eprint']}" if "eprint" in known else ""
        return known.get("journal", arxiv) + volume + pages + known.get("howpublished", "")


def _article(
    authors: str, year: int, title: str, journal: str, volume: str = "", pages: str = ""
) -> Reference:
    """``authors`` separated by semicolons, ``volume`` as 16(2)."""
    number = volume.partition("(")[2].removesuffix(")")
    fields = {
        "journal": journal,
        "volume": volume.partition("(")[0],
        "number": number,
        "pages": pages,
    }
    kept = {name: value for name, value in fields.items() if value}
    return Reference(tuple(authors.split("; ")), str(year), title, fields=kept)


def _arxiv(authors: str, year: int, title: str, eprint: str) -> Reference:
    fields = {"eprint": eprint, "archiveprefix": "arXiv"}
    return Reference(tuple(authors.split("; ")), str(year), title, "misc", fields)


#: Key of the package itself.
OWN = "intlmodels"


def own(version: str) -> Reference:
    """The package, in the version that made a fit."""
    title = "intlmodels: Bayesian models for how firms in regional clusters go abroad"
    return Reference(
        ("intlmodels developers",), "", title, "misc", {"howpublished": f"version {version}"}
    )


#: Key -> publication. An entry is here once, whatever cites it.
REFERENCES: dict[str, Reference] = {
    "abrilpla2023": _article(
        "Abril-Pla, O.; Andreani, V.; Carroll, C.; Dong, L.; Fonnesbeck, C. J.; Kochurov, M.; "
        "Kumar, R.; Lao, J.; Luhmann, C. C.; Martin, O. A.; Osthege, M.; Vieira, R.; Wiecki, T.; "
        "Zinkov, R.",
        2023,
        "PyMC: a modern, and comprehensive probabilistic programming framework in Python",
        "PeerJ Computer Science",
        "9",
        "e1516",
    ),
    "betancourt2016": _arxiv(
        "Betancourt, M.",
        2016,
        "Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo",
        "1604.00695",
    ),
    "buerkner2020": _article(
        "Bürkner, P.-C.; Charpentier, E.",
        2020,
        "Modelling monotonic effects of ordinal predictors in Bayesian regression models",
        "British Journal of Mathematical and Statistical Psychology",
        "73(3)",
        "420--451",
    ),
    "czado2009": _article(
        "Czado, C.; Gneiting, T.; Held, L.",
        2009,
        "Predictive model assessment for count data",
        "Biometrics",
        "65(4)",
        "1254--1261",
    ),
    "diaconis1998": _article(
        "Diaconis, P.; Sturmfels, B.",
        1998,
        "Algebraic algorithms for sampling from conditional distributions",
        "Annals of Statistics",
        "26(1)",
        "363--397",
    ),
    "ferrari2004": _article(
        "Ferrari, S.; Cribari-Neto, F.",
        2004,
        "Beta regression for modelling rates and proportions",
        "Journal of Applied Statistics",
        "31(7)",
        "799--815",
    ),
    "frechet1951": _article(
        "Fréchet, M.",
        1951,
        "Sur les tableaux de corrélation dont les marges sont données",
        "Annales de l'Université de Lyon A",
        "14",
        "53--77",
    ),
    "gelman2006": _article(
        "Gelman, A.",
        2006,
        "Multilevel (hierarchical) modeling: what it can and cannot do",
        "Technometrics",
        "48(3)",
        "432--435",
    ),
    "hoffman2014": _article(
        "Hoffman, M. D.; Gelman, A.",
        2014,
        "The No-U-Turn sampler: adaptively setting path lengths in Hamiltonian Monte Carlo",
        "Journal of Machine Learning Research",
        "15",
        "1593--1623",
    ),
    "huangfu2018": _article(
        "Huangfu, Q.; Hall, J. A. J.",
        2018,
        "Parallelizing the dual revised simplex method",
        "Mathematical Programming Computation",
        "10(1)",
        "119--142",
    ),
    "kallioinen2024": _article(
        "Kallioinen, N.; Paananen, T.; Bürkner, P.-C.; Vehtari, A.",
        2024,
        "Detecting and diagnosing prior and likelihood sensitivity with power-scaling",
        "Statistics and Computing",
        "34",
        "57",
    ),
    "kumar2019": _article(
        "Kumar, R.; Carroll, C.; Hartikainen, A.; Martin, O.",
        2019,
        "ArviZ a unified library for exploratory analysis of Bayesian models in Python",
        "Journal of Open Source Software",
        "4(33)",
        "1143",
    ),
    "mccullagh1980": _article(
        "McCullagh, P.",
        1980,
        "Regression models for ordinal data",
        "Journal of the Royal Statistical Society, Series B",
        "42(2)",
        "109--142",
    ),
    "modrak2023": _article(
        "Modrák, M.; Moon, A. H.; Kim, S.; Bürkner, P.-C.; Huurre, N.; Faltejsková, K.; "
        "Gelman, A.; Vehtari, A.",
        2023,
        "Simulation-based calibration checking for Bayesian computation: the choice of test "
        "quantities shapes sensitivity",
        "Bayesian Analysis",
    ),
    "neal2003": _article(
        "Neal, R. M.", 2003, "Slice sampling", "Annals of Statistics", "31(3)", "705--767"
    ),
    "nutpie": Reference(
        ("nutpie developers",),
        "",
        "nutpie: a sampler for Bayesian models",
        "misc",
        {"howpublished": "https://github.com/pymc-devs/nutpie"},
    ),
    "sailynoja2022": _article(
        "Säilynoja, T.; Bürkner, P.-C.; Vehtari, A.",
        2022,
        "Graphical test for discrete uniformity and its applications in goodness-of-fit "
        "evaluation and multiple sample comparison",
        "Statistics and Computing",
        "32",
        "32",
    ),
    "shorrocks2013": _article(
        "Shorrocks, A. F.",
        2013,
        "Decomposition procedures for distributional analysis: a unified framework based on the "
        "Shapley value",
        "Journal of Economic Inequality",
        "11",
        "99--126",
    ),
    "sivula2020": _arxiv(
        "Sivula, T.; Magnusson, M.; Matamoros, A. A.; Vehtari, A.",
        2020,
        "Uncertainty in Bayesian leave-one-out cross-validation based model comparison",
        "2008.10296",
    ),
    "smithson2006": _article(
        "Smithson, M.; Verkuilen, J.",
        2006,
        "A better lemon squeezer? Maximum-likelihood regression with beta-distributed dependent "
        "variables",
        "Psychological Methods",
        "11(1)",
        "54--71",
    ),
    "talts2018": _arxiv(
        "Talts, S.; Betancourt, M.; Simpson, D.; Vehtari, A.; Gelman, A.",
        2018,
        "Validating Bayesian inference algorithms with simulation-based calibration",
        "1804.06788",
    ),
    "tanner1987": _article(
        "Tanner, M. A.; Wong, W. H.",
        1987,
        "The calculation of posterior distributions by data augmentation",
        "Journal of the American Statistical Association",
        "82(398)",
        "528--540",
    ),
    "vehtari2021": _article(
        "Vehtari, A.; Gelman, A.; Simpson, D.; Carpenter, B.; Bürkner, P.-C.",
        2021,
        "Rank-normalization, folding, and localization: an improved R-hat",
        "Bayesian Analysis",
        "16(2)",
        "667--718",
    ),
    "yao2018": _article(
        "Yao, Y.; Vehtari, A.; Simpson, D.; Gelman, A.",
        2018,
        "Using stacking to average Bayesian predictive distributions",
        "Bayesian Analysis",
        "13(3)",
        "917--1007",
    ),
    "yu2011": _article(
        "Yu, Y.; Meng, X.-L.",
        2011,
        "To center or not to center: that is not the question",
        "Journal of Computational and Graphical Statistics",
        "20(3)",
        "531--570",
    ),
}


@dataclass(frozen=True)
class Method:
    """Something that was done, in words, and the keys of what to cite for it."""

    what: str
    keys: tuple[str, ...]


#: Name of a method -> what it is and what to cite.
METHODS: dict[str, Method] = {
    "nuts": Method("No-U-turn sampler", ("hoffman2014",)),
    "nutpie": Method("Its implementation", ("nutpie",)),
    "pymc": Method("Building of the model", ("abrilpla2023",)),
    "arviz": Method("Computation of the diagnostics", ("kumar2019",)),
    "rhat": Method("R-hat and effective sample size", ("vehtari2021",)),
    "ebfmi": Method("E-BFMI", ("betancourt2016",)),
    "beta": Method("Regression of shares", ("ferrari2004",)),
    "variation": Method("Variation by source", ("shorrocks2013",)),
    "clusters": Method("Partial pooling of clusters", ("gelman2006",)),
    "density": Method("Variant density", ("smithson2006",)),
    "ordered": Method("Ordered effects", ("buerkner2020",)),
    "levels": Method("Ordered outcomes", ("mccullagh1980",)),
    "augmentation": Method(
        "Tables and parameters drawn in turn (data augmentation)", ("tanner1987",)
    ),
    "table steps": Method("Steps of the tables", ("diaconis1998",)),
    "parameter steps": Method("Steps of the parameters", ("neal2003", "yu2011")),
    "bounds": Method("Bounds of cells from margins", ("frechet1951",)),
    "audit": Method("Integer programs of the audit (HiGHS)", ("huangfu2018",)),
    "calibration": Method("Simulation-based calibration", ("talts2018", "modrak2023")),
    "uniformity": Method("Uniform ranks, and their simultaneous bands", ("sailynoja2022",)),
    "elpd": Method("Uncertainty of differences in elpd", ("sivula2020",)),
    "stacking": Method("Stacking", ("yao2018",)),
    "pit": Method("Probability integral transform of discrete outcomes", ("czado2009",)),
    "power-scaling": Method("Power-scaling", ("kallioinen2024",)),
}


#: In a passage, the source of the data.
DATA = "data"


@dataclass(frozen=True)
class Cite:
    """A citation within a passage.

    Attributes
    ----------
    names : tuple of str
        Of methods, of ``DATA`` or of ``OWN``; in a finished text keys of publications.
    """

    names: tuple[str, ...]


#: Text and citations, one after the other.
Passage = tuple[str | Cite, ...]


def cite(*names: str) -> Cite:
    """A citation of methods, of the data or of the package."""
    return Cite(names)


def lines(methods: Iterable[str]) -> tuple[str, ...]:
    """Each method in words, with what to cite for it."""
    return tuple(
        f"{METHODS[name].what}: {'; '.join(REFERENCES[key].text for key in METHODS[name].keys)}."
        for name in methods
    )


def keys(methods: Iterable[str]) -> tuple[str, ...]:
    """Keys of what to cite for methods, each once."""
    return tuple(dict.fromkeys(key for name in methods for key in METHODS[name].keys))
