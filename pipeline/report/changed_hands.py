"""The hands that both runs reconstructed, one by one: all in a chart, the most changed ones as pictures."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2hand.datasets.packs import Pack
from s2hand.pipeline.layout import EVAL_PACK
from s2hand.pipeline.report import charts
from s2hand.pipeline.report.before_after import Side, draw_changes, load_side
from s2hand.pipeline.report.compared_hands import ComparedHands, compare_hands
from s2hand.pipeline.report.page import Block, Chart, Facts, Html, picture_uri
from s2hand.pipeline.report.photographs import Photographs, hand_model_file
from s2hand.pipeline.report.predicted_hands import TABLE, read_predictions
from s2hand.pipeline.report.project import Project
from s2hand.pipeline.report.units import meaning

SHOWN = 6
"""Hands that improved most, and hands that worsened most, as pictures."""


def changed_hands(before: Project, now: Project, photographs: Photographs) -> Iterator[Block]:
    """Yield the hands as a chart and as pictures; or one sentence why they can't be compared one by one."""
    sources = (str(TABLE), f"{before.name}: {TABLE}", str(EVAL_PACK))
    reason = _obstacle(before, now, photographs)
    if not reason:
        tables = [read_predictions(project.root / TABLE) for project in (before, now)]
        with Pack(now.root / EVAL_PACK) as pack:
            hands = compare_hands(pack, *tables)
            if hands is not None and len(hands.names):
                yield _scatter(hands, sources)
                files = hand_model_file(before, now), hand_model_file(now, now)
                sides = load_side(before.name, tables[0], files[0]), load_side(now.name, tables[1], files[1])
                yield from _pictures(pack, hands, sides, sources)
                return
        reason = "no hand is in both" if hands is not None else "one of the tables, of an older version, has no joints"
    yield Facts(title="Each hand", sources=sources, rows={"not compared": reason})


def _obstacle(before: Project, now: Project, photographs: Photographs) -> str:
    """Say why hands can't be compared one by one; nothing if they can."""
    if photographs.same is False:
        return "the photographs are not the same"
    for path in (TABLE, EVAL_PACK):
        if now.find(path) is None:
            return f"{path} is not there; `dvc repro` makes it, `dvc pull` fetches it"
    if before.find(TABLE) is None:
        return f"{TABLE} of {before.name} is not there, neither in its folder nor in DVC's cache or remote"
    return ""


def _scatter(hands: ComparedHands, sources: tuple[str, ...]) -> Chart:
    known = np.isfinite(hands.before) & np.isfinite(hands.now)
    better, worse = known & (hands.now < hands.before), known & (hands.now > hands.before)
    end = 1.05 * max([0.1, *hands.before[known].tolist(), *hands.now[known].tolist()])
    diagonal = {"color": charts.COLOURS[6], "dash": "dash"}
    data = [
        _dots(hands, better, "better", charts.COLOURS[0], "circle"),
        _dots(hands, worse, "worse", charts.COLOURS[1], "x"),
        {"type": "scatter", "mode": "lines", "name": "the same", "x": [0, end], "y": [0, end], "line": diagonal},
    ]
    layout = charts.layout(f"error before ({hands.unit})", f"error now ({hands.unit})", hovermode="closest")
    counts = f"{better.sum()} of {known.sum()} hands became better, {worse.sum()} worse"
    return Chart(
        title="Each hand, before and now",
        sources=sources,
        figure={"data": data, "layout": layout},
        alt=f"The error of each hand now, over its error before: {counts}.",
        note=f"{counts}. Below the dashed line the error is smaller now. {meaning(hands.unit)}",
    )


def _dots(hands: ComparedHands, chosen: NDArray[np.bool_], name: str, colour: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{name} ({chosen.sum()})",
        "x": charts.plain(hands.before[chosen], 3),
        "y": charts.plain(hands.now[chosen], 3),
        "text": [hands.names[n] for n in np.flatnonzero(chosen).tolist()],
        "marker": {"color": colour, "symbol": symbol, "size": 6, "opacity": 0.7},
    }


def _pictures(pack: Pack, hands: ComparedHands, sides: tuple[Side, Side], sources: tuple[str, ...]) -> Iterator[Html]:
    """Yield the hands that changed most; a note says where a run's mesh can't be drawn."""
    lacking = " and ".join(side.name for side in sides if not side.has_mesh)
    note = f"No mesh of {lacking}: the hand model, or the hands' parameters, are not there." if lacking else ""
    for title, improved in (("Improved most", True), ("Worsened most", False)):
        chosen = hands.most_changed(SHOWN, improved)
        if len(chosen):
            values = {"cards": list(_cards(pack, hands, chosen, sides))}
            yield Html(title=title, sources=sources, template="comparison.html.j2", values=values, note=note)


def _cards(
    pack: Pack, hands: ComparedHands, chosen: NDArray[np.intp], sides: tuple[Side, Side]
) -> Iterator[dict[str, Any]]:
    """Yield what the template shows of each chosen hand: its name, by how much it changed, and three pictures."""
    drawn = draw_changes(pack, hands.rows[chosen], [places[chosen] for places in hands.places], sides)
    for n, pictures in zip(chosen.tolist(), drawn, strict=True):
        before, now = float(hands.before[n]), float(hands.now[n])
        titles = ("photograph", f"before: {before:.2f}", f"now: {now:.2f}")
        yield {
            "name": hands.names[n],
            "change": f"{now - before:+.2f} {hands.unit}",
            "pictures": [
                {"uri": picture_uri(picture), "title": title, "alt": f"{hands.names[n]}, {title}"}
                for picture, title in zip(pictures, titles, strict=True)
            ],
        }
