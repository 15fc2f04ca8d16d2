"""Trainings as chains of stages that are shared where they compute the same."""

from pathlib import Path

from s2hand.pipeline.experiments import variants
from s2hand.pipeline.experiments.data import make_packs
from s2hand.pipeline.experiments.runs import chain, run_name
from s2hand.pipeline.experiments.variants import Keypoints
from s2hand.pipeline.params import Params
from s2hand.train.branches import planned_stages


def test_runs_are_named_by_what_they_compute(tiny: Path, params: Params) -> None:
    packs = make_packs(params, tiny / "work")
    train, hand = params.train, params.hand_model
    detected, true = packs.train[Keypoints.detected], packs.train[Keypoints.true]
    name = run_name(train, detected, hand)
    assert name == run_name(train.model_copy(update={"workers": 7, "sheet_epochs": 9}), detected, hand)
    others = [
        run_name(train.model_copy(update={"seed": 1}), detected, hand),
        run_name(variants.without(train, ("E_con",)), detected, hand),
        run_name(train, true, hand),
    ]
    assert len({name, *others}) == 4


def test_stages_are_links_of_a_chain_and_shared_where_they_are_the_same(tiny: Path, params: Params) -> None:
    packs = make_packs(params, tiny / "work")
    pack, hand, place = packs.train[Keypoints.detected], params.hand_model, tiny / "links"
    rows = [row.settings for row in (*variants.ablation(params.train), *variants.consistency(params.train))]
    chains = [chain(settings, pack, hand, place, "a title") for settings in rows]
    assert [len(links) for links in chains] == [2, 2, 3, 3, 3, 3]
    for links in chains:
        assert [link.after for link in links] == [None, *(link.folder for link in links[:-1])]
        assert [link.settings.start for link in links] == [None, *(str(link.folder) for link in links[:-1])]
        assert all(len(planned_stages(link.settings)) == 1 for link in links)
        assert {link.samples for link in links} == {8}
    folders = [[link.folder for link in links] for links in chains]
    _, with_ori, two_d, full, without, again = folders
    assert with_ori[0] == two_d[0]
    assert full == again
    assert without[:2] == full[:2]
    assert without[2] != full[2]
    assert len({folder for links in folders for folder in links}) == 10
    elsewhere = chain(rows[0], pack, hand, tiny / "moved" / "links", "a title")
    assert [link.folder.name for link in elsewhere] == [folder.name for folder in folders[0]]
