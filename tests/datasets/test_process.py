"""What a process knows of itself."""

import os

import pytest

from s2hand.datasets.process import core_count, is_first


def test_cores_are_those_that_it_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert core_count() == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # as on a Mac
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert core_count() == 1


def test_the_first_of_several_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert is_first()
    for rank, first in (("0", True), ("1", False)):
        monkeypatch.setenv("RANK", rank)
        assert is_first() == first
