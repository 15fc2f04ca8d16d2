"""Samples from a pack, in memory or row by row, in an order that seed and epoch decide."""

import torch

from s2hand.datasets.packs import Pack
from s2hand.train.data import TrainingData, epoch_order, generator

CPU = torch.device("cpu")


def test_memory_and_file_give_the_same_batches(tiny_pack):
    memory, file = (TrainingData(tiny_pack, CPU, gigabytes, workers=2) for gigabytes in ("auto", 0.0))
    assert memory.in_memory
    assert not file.in_memory
    rows = torch.tensor([5, 0, 5, 3])
    ours, theirs = memory.batch(rows), file.batch(rows)
    assert torch.equal(ours.images, theirs.images)
    assert torch.equal(ours.K, theirs.K)
    assert torch.equal(ours.keypoints.nan_to_num(-1), theirs.keypoints.nan_to_num(-1))
    assert ours.images.is_contiguous(memory_format=torch.channels_last)


def test_workers_read_the_same_batches_in_the_same_order(tiny_pack, caplog):
    order = torch.tensor([[5, 0], [2, 2], [7, 1]])
    with caplog.at_level("INFO"):
        memory, file = (TrainingData(tiny_pack, CPU, gigabytes, workers=2) for gigabytes in ("auto", 0.0))
    assert "held in the memory of cpu" in caplog.messages[0]
    assert "read by 2 processes" in caplog.messages[1]
    for ours, theirs in zip(memory.batches(order), file.batches(order), strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.rows, theirs.rows)
        assert torch.equal(ours.K, theirs.K)


def test_batches_hold_what_the_pack_holds(tiny_pack):
    data = TrainingData(tiny_pack, CPU, "auto", workers=1)
    pack = Pack(tiny_pack)
    batch = data.batch(torch.tensor([2, 1]))
    rows = pack.rows([2, 1])
    images = torch.from_numpy(rows.images).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(batch.images, images)
    torch.testing.assert_close(batch.K, torch.from_numpy(rows.K))
    assert data.names(batch.rows) == [pack.names()[2], pack.names()[1]]
    assert len(data) == len(pack)


def test_an_epoch_has_every_row_once_and_differs_from_the_next():
    first, second = (epoch_order(10, 3, seed=1, epoch=epoch) for epoch in (0, 1))
    assert first.shape == (3, 3)
    assert len(set(first.flatten().tolist())) == 9
    assert not torch.equal(first, second)
    assert torch.equal(first, epoch_order(10, 3, seed=1, epoch=0))
    assert not torch.equal(first, epoch_order(10, 3, seed=2, epoch=0))


def test_generators_differ_by_each_key():
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (10,), (1, 0, 0)]
    draws = {float(torch.rand(1, generator=generator(*key))) for key in keys}
    assert len(draws) == len(keys)
    assert torch.equal(torch.rand(3, generator=generator(4, 2)), torch.rand(3, generator=generator(4, 2)))
