"""The BibTeX entry of a study: what is printed gets through, what LaTeX would run does not."""

import time

import pytest

from intlmodels.core.errors import StudyError
from intlmodels.studies.base import check_bibtex, parse_entry

GOOD = (
    '@Article { amdam2020 , author = {M{\\"u}ller, J. and {\\O}stg{\\aa}rd, K. and '
    "Garc{\\'\\i}a, L. and "
    '\\v{S}koda, A.}, title = "A {Title}, with \\emph{it} \\& 5\\,\\% -- \\ss", Year = 2020, '
    "month = Mar, doi = {10.1002/(SICI)1097-0266(199602)17:2<109::AID-SMJ796>3.0.CO;2-P}, "
    "url = {https://a.org/b_c?d=%20e#f}, note = {\\url{http://x.org/y_1}},}"
)
WRITTEN = """\
@article{amdam2020,
  author = {M{\\"u}ller, J. and {\\O}stg{\\aa}rd, K. and Garc{\\'\\i}a, L. and \\v{S}koda, A.},
  title = {A {Title}, with \\emph{it} \\& 5\\,\\% -- \\ss},
  year = {2020},
  month = mar,
  doi = {10.1002/(SICI)1097-0266(199602)17:2<109::AID-SMJ796>3.0.CO;2-P},
  url = {https://a.org/b_c?d=%20e#f},
  note = {\\url{http://x.org/y_1}}
}"""


def test_an_entry_is_written_anew_from_its_parts():
    assert check_bibtex(GOOD) == WRITTEN
    assert check_bibtex(WRITTEN) == WRITTEN
    assert parse_entry(WRITTEN)[1] == "amdam2020"
    assert check_bibtex(" ") == ""


TITLES = (
    *(r"\input{/etc/passwd}", r"\write18{ls}", r"\immediate\write18{ls}", r"\catcode`\@=11"),
    *(r"\csname input\endcsname", r"\href{javascript:alert(1)}{x}", r"\url{javascript:alert(1)}"),
    *(r"\url{file:///etc/passwd}", r"\url{https://x.org/%41}", "^^5cinput{x}", r"\^^5cinput{x}"),
    *("a % b", "a & b", "a # b", "a_b", "a^b", "$x$", r"\emph x", r"\ss\input", r"\\&input"),
    *(r"\verb|x|", r"\'", r"a \\ b", "a\0b", "a\x1bb", "a\u202eb", "a\u200bb", "\\"),
)


@pytest.mark.parametrize("title", TITLES)
def test_what_latex_would_run_is_refused_with_what_is_expected(title):
    with pytest.raises(StudyError, match=r"\[study\] bibtex title: found .*expected plain text"):
        check_bibtex(f"@misc{{a, title = {{x {title}}}}}")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (r"@preamble{ {\input x} }", "expected one BibTeX entry"),
        ("@string{a = {x}}", "expected one BibTeX entry"),
        ("@comment{a, title = {x}}", "found '@comment'; expected one of 'article'"),
        ("@misc{a, title = {x}, crossref = {b}}", "unknown field 'crossref'; expected fields"),
        ("@misc{a, title = {x}, execute = {y}, file = {z}}", "unknown field 'execute', 'file'"),
        ("@misc{a, title = {x} # {y}}", "expected one BibTeX entry"),
        ("@misc{a, title = x}", "expected a value in braces"),
        ("@misc{a, title = {x}, title = {y}}", "expected every field once"),
        ("@misc{^^5c, title = {x}}", "expected one BibTeX entry"),
        ("@misc{a, title = {x}} \\input{y}", "expected one BibTeX entry"),
        ('@misc{a, title = "x{"}', "expected one BibTeX entry"),
        ("@misc{a, title = {x}, url = {javascript:alert(1)}}", "address that begins with https"),
        ("@misc{a, title = {x}, url = {ftp://x.org}}", "address that begins with https"),
        ("@misc{a, title = {x}, url = {https://x.org/\\y}}", "address that begins with https"),
        ("@misc{a, title = {x}, doi = {https://doi.org/10.1000/1}}", "a DOI such as"),
        ("@misc{a, title = {x}, doi = {10.1000/%1}}", "a DOI such as"),
        (f"@misc{{a, title = {{{'x' * 10**6}}}}}", "at most 20,000 characters"),
        (f"@misc{{a, title = {'{' * 10**5}x{'}' * 10**5}}}", "at most 20,000 characters"),
        (f"@misc{{a, title = {'{' * 9000}x{'}' * 9000}}}", "at most 10 braces"),
    ],
)
def test_entries_that_are_more_than_an_entry_are_refused(entry, said):
    start = time.perf_counter()
    with pytest.raises(StudyError) as caught:
        check_bibtex(entry)
    assert time.perf_counter() - start < 1
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
