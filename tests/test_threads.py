"""Linear algebra has one thread while a model is fitted, wherever that is."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import intlmodels as im
from intlmodels.core.threads import one_thread
from intlmodels.models import pymc


def counts():
    """Threads of every library for linear algebra."""
    return {own["num_threads"] for own in threadpool_info() if own["user_api"] == "blas"}


class SampledError(Exception):
    """The sampler was reached."""


def test_chains_have_one_thread_each(monkeypatch):
    class Nutpie:
        @staticmethod
        def sample(*_, **__):
            raise SampledError(counts())

    monkeypatch.setattr(pymc, "compile_model", lambda *_: None)
    monkeypatch.setattr(pymc, "import_nutpie", lambda: Nutpie)
    with threadpool_limits(2, "blas"):
        with pytest.raises(SampledError, match=r"^\{1\}$"):
            im.fit_study("rochester")
        assert counts() == {2}


def test_fits_that_overlap_leave_the_number_as_it_was():
    with threadpool_limits(2, "blas"):
        one, other = one_thread(), one_thread()
        one.__enter__()
        other.__enter__()
        one.__exit__(None, None, None)
        assert counts() == {1}
        other.__exit__(None, None, None)
        assert counts() == {2}
