"""Structural similarity against scikit-image's."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from s2hand.train.ssim import ssim_map


@pytest.mark.parametrize("size", [(11, 17), (40, 64)])
def test_it_is_that_of_the_paper(size):
    random = np.random.default_rng(0)
    one = random.random((3, *size))
    other = np.clip(one + 0.2 * random.standard_normal((3, *size)), 0, 1)
    ours = ssim_map(*(torch.from_numpy(image)[None] for image in (one, other)))[0].numpy()
    for channel in range(3):
        _, theirs = structural_similarity(
            *(image[channel] for image in (one, other)),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            full=True,
        )
        np.testing.assert_allclose(ours[channel], theirs[5:-5, 5:-5], atol=1e-9)


def test_the_same_image_is_like_itself():
    image = torch.rand(2, 3, 20, 20)
    torch.testing.assert_close(ssim_map(image, image), torch.ones(2, 3, 10, 10), atol=1e-4, rtol=0)


def test_images_smaller_than_a_window_are_refused():
    with pytest.raises(ValueError, match="at least 11 x 11 pixels"):
        ssim_map(torch.zeros(1, 3, 10, 20), torch.zeros(1, 3, 10, 20))
