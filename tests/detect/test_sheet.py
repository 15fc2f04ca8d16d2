"""Contact sheets and the hands drawn on them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from s2hand.datasets.cameras import Box
from s2hand.datasets.drawing import FINGER_COLORS, draw_hand, joint_color, text_width, write_png, write_text
from s2hand.detect import DetectSettings, HandDetector, run_detection, tiles
from s2hand.detect import sheet as module
from s2hand.detect.selection import Selection, Shown, ShownHand
from s2hand.detect.sheet import check_sheet_name, draw_page, write_sheets
from s2hand.detect.suspicious import RULES
from s2hand.detect.tiles import HAND_COLORS, TILE, draw_crop, draw_photograph, shorten


@pytest.fixture
def shards(photographs, tmp_path, monkeypatch, bright_spot):
    monkeypatch.setattr(HandDetector, "load", lambda *_, **__: HandDetector(bright_spot()))
    run_detection(photographs, tmp_path / "shards", DetectSettings(shard_size=4))
    return tmp_path / "shards"


def _hand(confidence):
    """A hand whose joints lie on a grid of 20 pixels, wrist at (20, 20)."""
    places = [(20 + 20 * (joint % 5), 20 + 20 * (joint // 5)) for joint in range(21)]
    return np.concatenate([np.array(places, np.float32), np.full((21, 1), confidence, np.float32)], axis=1)


def test_joints_have_the_colour_of_their_finger():
    image = np.zeros((256, 256, 3), np.uint8)
    hand = _hand(1.0)
    draw_hand(image, hand)
    for tip, finger in zip((4, 8, 12, 16, 20), FINGER_COLORS, strict=True):
        x, y = hand[tip, :2].astype(int)
        assert tuple(image[y, x]) == FINGER_COLORS[finger] == joint_color(tip)
    assert joint_color(0) == (255, 255, 255)


def test_the_surer_the_bolder():
    drawn = []
    for confidence in (0.1, 0.5, 1.0):
        image = np.zeros((256, 256, 3), np.uint8)
        draw_hand(image, _hand(confidence))
        drawn.append(int(image.sum()))
    assert 0 < drawn[0] < drawn[1] < drawn[2]


def test_missing_joints_and_their_bones_are_left_out():
    image = np.zeros((256, 256, 3), np.uint8)
    draw_hand(image, np.full((21, 3), [np.nan, np.nan, 0], np.float32))
    assert not image.any()
    hand = _hand(1.0)
    hand[0] = (np.nan, np.nan, 0)
    draw_hand(image, hand)
    assert not image[18:23, 10:30].any()
    assert image.any()


def test_of_a_hand_that_leaves_the_image_the_rest_is_drawn():
    whole = np.zeros((256, 256, 3), np.uint8)
    draw_hand(whole, _hand(1.0))
    part = np.zeros((60, 70, 3), np.uint8)
    draw_hand(part, _hand(1.0) - np.array([30, 25, 0], np.float32))
    difference = np.abs(part.astype(int) - whole[25:85, 30:100]).max(axis=2)
    assert (difference > 8).mean() < 0.02  # where a line is cut off, its edge is rounded otherwise
    outside = np.zeros((20, 30, 3), np.uint8)
    draw_hand(outside, _hand(1.0) * np.array([1000, -1000, 1], np.float32))
    assert not outside.any()


def test_one_page_shows_every_photograph(photographs, shards, tmp_path):
    pages = write_sheets(photographs, shards, tmp_path / "new folder" / "sheet.png")
    assert pages == [tmp_path / "new folder" / "sheet.png"]
    page = cv2.imread(str(pages[0]))
    assert page.shape[1] > 4 * TILE
    assert page.shape[0] > 3 * TILE


def test_many_photographs_take_several_pages(photographs, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PER_PAGE", 4)
    sheet = tmp_path / "sheet.png"
    assert [page.name for page in write_sheets(photographs, shards, sheet)] == [
        "sheet.png",
        "sheet.page2.png",
        "sheet.page3.png",
    ]
    monkeypatch.setattr(module, "PER_PAGE", 100)
    assert write_sheets(photographs, shards, sheet) == [sheet]
    assert not (tmp_path / "sheet.page2.png").exists()


def test_a_photograph_that_is_gone_leaves_a_grey_tile(photographs, shards, tmp_path):
    (photographs / "00.png").unlink()
    page = cv2.imread(str(write_sheets(photographs, shards, tmp_path / "s.png")[0]))
    assert (page[module.HEADER + 50, module.GAP + 50] == 90).all()


def test_a_missing_photograph_says_so(grey, monkeypatch):
    written = []
    monkeypatch.setattr(tiles, "write_text", lambda image, text, x, y, *_: written.append((text, x, y, image.shape)))
    for draw in (draw_photograph, draw_crop):
        tile = draw(grey, _shown(Box(0, 0, 9, 9), _NO_HAND, name="gone.png"))
        assert (tile == 90).all()
    left = (TILE - text_width("missing", tiles.TEXT)) // 2
    assert written == [("missing", left, TILE // 2, (TILE, TILE, 3))] * 2
    monkeypatch.undo()
    tile = draw_photograph(grey, _shown(Box(0, 0, 9, 9), _NO_HAND, name="gone.png"))
    assert (tile.max(), tile.min()) == (235, 90)


@pytest.mark.parametrize(("title", "room"), [("3 of 3 images, page 1 of 1", True), ("a long title " * 7, False)])
def test_the_header_says_what_is_faint_if_there_is_room(grey, monkeypatch, title, room):
    written = {}

    def write(image, text, x, *rest):
        written[text] = write_text(image, text, x, *rest)
        return written[text]

    monkeypatch.setattr(module, "write_text", write)
    page = draw_page(grey, [_shown(Box(0, 0, 9, 9), _NO_HAND)], title)
    assert ("faint: unsure" in written) == room
    assert max(written.values()) < page.shape[1]


@pytest.mark.parametrize("file", ["photographs/00.png", "photographs/more/new/s.png", "elsewhere/../photographs/s.png"])
@pytest.mark.parametrize("images", ["photographs", "linked", "{}/photographs", "more/.."])
def test_no_sheet_among_the_photographs(photographs, tmp_path, monkeypatch, file, images):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "linked").symlink_to(photographs)
    (tmp_path / "more").symlink_to(photographs / "more")
    images = Path(images.format(tmp_path))
    for place in (Path(file), tmp_path / file):
        with pytest.raises(ValueError, match=r"lies in the photographs' folder .*; expected a place outside it"):
            check_sheet_name(place, images)


def test_links_do_not_hide_that_a_sheet_is_among_the_photographs(photographs, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (photographs / "linked").symlink_to(other)  # a run goes there
    (other / "in").symlink_to(photographs / "more")
    (other / "s.png").symlink_to(photographs / "00.png")
    for file in (photographs / "linked" / "new.png", other / "in" / "new.png", other / "s.png"):
        with pytest.raises(ValueError, match="lies in the photographs' folder"):
            check_sheet_name(file, photographs)
    for file in (tmp_path / "s.png", tmp_path / "photographs2" / "s.png", photographs / ".." / "s.png"):
        check_sheet_name(file, photographs)
    check_sheet_name(tmp_path / "s.png", tmp_path / "none")


def test_a_sheet_may_lie_beside_one_file_but_not_be_it(photographs):
    check_sheet_name(photographs / "s.png", photographs / "00.png")
    with pytest.raises(ValueError, match=r"02\.png: is there already, and no contact sheet"):
        check_sheet_name(photographs / "02.png", photographs / "00.png")
    write_png(photographs / "s.png", np.zeros((4, 4, 3), np.uint8), module.NOTE)
    check_sheet_name(photographs / "s.png", photographs / "00.png")  # of an earlier run
    with pytest.raises(ValueError, match="is the photograph itself"):
        check_sheet_name(photographs / "more" / ".." / "00.png", photographs / "00.png")


def test_a_sheet_of_one_file(grey, write_run, natural_hands, tmp_path):
    shards = write_run({"grey.png": [("right", Box(0, 0, 128, 128), natural_hands[0])]})
    sheets = [tmp_path / "file.png", tmp_path / "folder.png"]
    for images, sheet in zip((grey / "grey.png", grey), sheets, strict=True):
        write_sheets(images, shards, sheet)
    assert sheets[0].read_bytes() == sheets[1].read_bytes()


def test_no_photograph_at_all_is_another_folder(photographs, shards, tmp_path):
    with pytest.raises(ValueError, match=r"elsewhere: no such folder; expected the one that the run's photographs"):
        write_sheets(tmp_path / "elsewhere", shards, tmp_path / "s.png")
    with pytest.raises(ValueError, match=r"none of 10 photographs of the run can be read there, such as 00\.png"):
        write_sheets(shards, shards, tmp_path / "s.png")
    assert not (tmp_path / "s.png").exists()


def _shown(box, keypoints, hand="right", name="grey.png", **more):
    return Shown(name, (ShownHand(hand, box, keypoints, **{"reasons": (), **more}),))


@pytest.fixture
def grey(tmp_path, write_image):
    """A folder with a grey photograph of 512 x 256 pixels, the right half of it lighter."""
    image = np.full((256, 512, 3), 60, np.uint8)
    image[:, 256:] = 200
    folder = tmp_path / "grey"
    folder.mkdir()
    write_image(folder / "grey.png", image)
    return folder


_NO_HAND = np.full((21, 3), [np.nan, np.nan, 0], np.float32)


@pytest.mark.parametrize("hand", ["right", "left"])
def test_boxes_are_in_the_colour_of_their_hand(grey, hand):
    tile = draw_photograph(grey, _shown(Box(100, 40, 200, 100), _NO_HAND, hand))
    assert tile.shape == (TILE // 2, TILE, 3)
    changed = np.argwhere((tile != 60).any(-1) & (tile != 200).any(-1))
    assert np.abs(changed.min(0) - (20, 50)).max() <= 1  # half as large as the photograph
    assert np.abs(changed.max(0) - (70, 150)).max() <= 1
    np.testing.assert_allclose(tile[20, 70].astype(int), HAND_COLORS[hand], atol=40)


def test_the_box_of_a_whole_image_is_not_drawn(grey):
    tile = draw_photograph(grey, _shown(Box(0, -128, 512, 512), _NO_HAND))
    assert set(np.unique(tile)) <= set(range(60, 201))
    assert (tile[:, :120] == 60).all()


def test_a_crop_is_the_box_and_its_joints(grey):
    keypoints = np.tile(np.float32([np.nan, np.nan, 0]), (21, 1))
    keypoints[0] = (300, 100, 1)  # the wrist: white
    tile = draw_crop(grey, _shown(Box(206, 50, 100, 100), keypoints))
    assert tile.shape == (TILE, TILE, 3)
    x, y = int(94 * TILE / 100), int(50 * TILE / 100)
    assert (tile[y, x] == 255).all()
    assert (tile[10, :100] == 60).all()  # left of the edge, which is in the middle
    assert (tile[10, 160:] == 200).all()


def test_a_crop_beyond_the_image_is_grey(grey):
    tile = draw_crop(grey, _shown(Box(-50, -50, 100, 100), _NO_HAND))
    assert (tile[:100, :100] == 128).all()
    assert (tile[160:, 160:] == 60).all()


def test_small_hands_get_thin_lines(grey):
    large = _hand(1.0)
    small = large * np.float32([0.1, 0.1, 1])
    inked = [
        (draw_photograph(grey, _shown(Box(0, -128, 512, 512), hand))[:, :120] != 60).any(-1).sum()
        for hand in (large, small)
    ]
    assert inked[1] < inked[0] / 10


def test_captions_say_name_hands_and_confidences(grey, monkeypatch):
    written = []
    monkeypatch.setattr(tiles, "write_text", lambda sheet, text, x, *_: written.append(text) or x)
    hands = tuple(
        ShownHand(hand, Box(0, 0, 9, 9), _hand(confidence), ())
        for hand, confidence in (("left", 0.5), ("right", 0.25), ("right", 1), ("left", 1), ("left", 1))
    )
    draw_page(grey, [Shown("grey.png", hands[:1]), Shown("grey.png", hands)], "title")
    assert written == ["grey.png", " left 0.50", "grey.png", " L 0.50", " R 0.25", " R 1.00", " +2"]


def test_reasons_have_a_line_of_their_own(grey, monkeypatch):
    written = []
    monkeypatch.setattr(tiles, "write_text", lambda sheet, text, x, *_: written.append(text) or x)
    reasons = ("low confidence", "loose box")
    shown = _shown(Box(0, 0, 9, 9), _hand(1.0), reasons=reasons)
    without, with_reasons = (draw_page(grey, [shown], "title", reasons=told) for told in (False, True))
    assert with_reasons.shape[0] > without.shape[0]
    assert written[-1] == "low confidence, loose box"
    many = _shown(Box(0, 0, 9, 9), _hand(1.0), reasons=tuple(RULES))
    draw_page(grey, [many], "title", reasons=True)
    assert written[-1].startswith("low confidence, in a corner")
    assert written[-1].endswith("~")


def test_long_names_lose_their_start():
    assert shorten("a.jpg", 100) == "a.jpg"
    short = shorten("a/very/long/name/of/a/photograph/clip.mp4#000123", 100)
    assert short.startswith("~")
    assert short.endswith("#000123")
    assert 60 < text_width(short, tiles.TEXT) <= 100


def test_hands_of_a_photograph_apart(write_run, natural_hands, grey, monkeypatch):
    box = Box(0, 0, 128, 128)
    shards = write_run({"grey.png": [("right", box, natural_hands[0]), ("left", box, natural_hands[1])]})
    titles = []
    monkeypatch.setattr(module, "_draw_header", lambda sheet, title: titles.append(title))
    seen = []
    write_sheets(grey, shards, shards / "s.png", lambda done, total: seen.append((done, total)), crops=True)
    write_sheets(grey, shards, shards / "s.png", selection=Selection(hand="left"))
    assert titles == ["2 of 2 hands, page 1 of 1", "1 of 1 images, page 1 of 1"]
    assert seen == [(1, 2), (2, 2)]


def test_other_formats_and_unfinished_runs_are_refused(photographs, shards, tmp_path):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.png"):
        write_sheets(photographs, shards, tmp_path / "sheet.jpg")
    (shards / "manifest.json").unlink()
    with pytest.raises(ValueError, match="manifest"):
        write_sheets(photographs, shards, tmp_path / "sheet.png")
