"""What a training shows: where it is, how fast, how long still, and every term."""

import io

import pytest
from rich.console import Console

from s2hand.pipeline import live
from s2hand.train.progress import Report


def report(seen: int) -> Report:
    values = {"E_loc": 12.5, "E_con": 0.25, "loss": 1.75}
    return Report("joint", 2, 60, seen, 1000, 123.4, values)


def test_time_left_follows_the_speed_since_the_start() -> None:
    assert live.time_left((200, 10.0), report(400), 20.0) == pytest.approx(30.0)


def test_the_terminal_shows_place_speed_and_all_terms() -> None:
    text = io.StringIO()
    Console(file=text, width=100).print(live._picture(report(400), 95.0))
    shown = text.getvalue()
    for part in ("joint, epoch 2 of 60", "123 samples/s", "1 min 35 s left", "E_loc 12.5", "E_con 0.25", "loss 1.75"):
        assert part in shown


def test_a_file_gets_a_line_now_and_then_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    clock = iter([0.0, 1.0, 2.0, 20.0, 30.0])
    monkeypatch.setattr(live.time, "monotonic", lambda: next(clock))
    show = live._lines(Console(file=text, width=200))
    for seen in (100, 200, 600, 1000):
        show(report(seen))
    lines = text.getvalue().splitlines()
    assert len(lines) == 2
    assert "15 s left" in lines[0]  # 500 samples in 19 s, 400 to go


def test_a_terminal_is_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    with live._live(Console(file=text, width=100, force_terminal=True, color_system=None)) as show:
        show(report(400))
        show(report(800))
    shown = text.getvalue()
    assert "E_loc 12.5" in shown
    assert "\x1b[" in shown  # where the cursor goes back


def test_only_the_first_of_several_processes_shows_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    with live.show_training() as show:
        show(report(1000))
    assert capsys.readouterr().err == ""
