"""Batches when the memory does not suffice."""

import logging

import numpy as np
import pytest
import torch

from s2hand.detect import HandDetector
from s2hand.detect.memory import Batches, is_out_of_memory

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 7 bytes."),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    MemoryError(),
]
TALLEST = 50  # pixels that the estimator's memory takes


@pytest.fixture
def short_of_memory(bright_spot):
    """An estimator that fails for more than three images, and for a tall one."""

    class Short(bright_spot):
        batch_size = 16
        error: Exception = ERRORS[0]

        def estimate(self, images):
            answers = super().estimate(images)
            if len(images) > 3 or images[0].shape[0] > TALLEST:
                raise self.error
            return answers

    return Short(one_size=False)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_batches_are_halved_until_they_fit_and_stay_so(short_of_memory, error, texture, caplog):
    short_of_memory.error = error
    detector = HandDetector(short_of_memory)
    images = [texture(seed, 20, 30) for seed in range(17)]
    with caplog.at_level(logging.WARNING):
        hands = detector.detect(images)
    assert [len(batch) for batch in short_of_memory.batches] == [16, 8, 4] + [2] * 8 + [1]
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory with 16 images at a time: going on with 8",
        "out of memory with 8 images at a time: going on with 4",
        "out of memory with 4 images at a time: going on with 2",
    ]
    for image, hand in zip(images, hands, strict=True):
        np.testing.assert_array_equal(hand.xy, detector.detect([image])[0].xy)
    short_of_memory.batches.clear()
    detector.detect(images[:4])
    assert [len(batch) for batch in short_of_memory.batches] == [2, 2]
    assert detector.batch_size == 16


@pytest.mark.parametrize("error", ERRORS[:2], ids=lambda error: type(error).__name__)
def test_one_image_that_does_not_fit_is_an_error_that_names_it(short_of_memory, error):
    short_of_memory.error = error
    detector = HandDetector(short_of_memory)
    with pytest.raises(ValueError, match=r"image of 40 x 60 pixels: expected it to fit .*; crop it") as raised:
        detector.detect([np.zeros((60, 40, 3), np.uint8)])
    assert raised.value.__cause__ is error


def test_other_errors_pass(short_of_memory):
    short_of_memory.error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="mat1"):
        HandDetector(short_of_memory).detect([np.zeros((20, 30, 3), np.uint8)] * 4)
    assert len(short_of_memory.batches) == 1
    assert not is_out_of_memory(ValueError("DefaultCPUAllocator"))


def test_what_failed_is_let_go_before_the_next_try():
    """An error holds the frames it came through, and they the tensors that filled the memory."""

    class Large:
        alive = 0

        def __init__(self):
            Large.alive += 1

        def __del__(self):
            Large.alive -= 1

    def call(items):
        assert Large.alive == 0
        large = Large()
        if len(items) > 1:
            raise torch.OutOfMemoryError(f"{large}")
        return items

    assert Batches(4).process(call, [1, 2, 3]) == [1, 2, 3]
