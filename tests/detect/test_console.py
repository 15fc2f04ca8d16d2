"""What commands print while they work, where it goes to a file."""

import json
import re

import pytest
import typer

from s2hand.detect import console


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")]
)
def test_durations_are_said_as_people_do(seconds, text):
    assert console.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "count", "text"),
    [(2.0, 82, "2 s, 41.0 images/s"), (40.0, 3, "40 s, 0.07 images/s"), (0.2, 0, "0 s")],
)
def test_speeds_are_those_of_what_was_done(seconds, count, text):
    assert console.speed(seconds, count, "images") == text


def test_quiet_leaves_errors_only(capsys):
    def work():
        with console.user_errors("nothing", quiet=True):
            with console.show_progress("detect") as report:
                report(1, 1)
            console.note("beside it")
            console.show_summary({"hands": "1"}, {}, as_json=False)
            raise ValueError("it broke")

    with pytest.raises(typer.Exit):
        work()
    assert capsys.readouterr() == ("", "error: it broke\n")
    assert not console.is_quiet()


def test_a_summary_for_people_and_for_machines(capsys):
    rows, facts = {"hands": "1", "mean confidence": "none"}, {"hands": 1, "mean_confidence": None}
    console.show_summary(rows, facts, as_json=False)
    assert capsys.readouterr().out == "hands            1\nmean confidence  none\n"
    with console.user_errors("nothing", quiet=True):
        console.show_summary(rows, facts, as_json=True)
    assert json.loads(capsys.readouterr().out) == facts


def test_a_reader_that_has_seen_enough_is_no_error(capsys):
    with pytest.raises(BrokenPipeError), console.user_errors("nothing"):
        raise BrokenPipeError
    assert capsys.readouterr() == ("", "")


def test_a_resumed_run_estimates_from_its_own_speed(monkeypatch, capsys):
    clock = iter([0.0, 0.0, 20.0, 40.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.show_progress("detect") as report:
        report(900, 1000)  # what an earlier run had done
        report(950, 1000)
        report(1000, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["detect: 950 of 1000, 20 s left", "detect: 1000 of 1000, 40 s"]


def test_a_note_stands_above_the_bar(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    with console.show_progress("detect") as report:
        report(1, 2)
        console.note("beside it")
        report(2, 2)
    shown = capsys.readouterr().err
    assert re.search(r"\x1b\[2Kbeside it\n", shown), shown
    assert shown.index("beside it") < shown.rindex("2/2")


def test_a_bar_that_never_moved_goes_away(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with console.show_progress("detect"):
        pass
    assert not re.search(r"detect[^\x1b]*\n$", re.sub(r"\x1b\[[\d;?]*[mhl]", "", capsys.readouterr().err))
