"""Labels that are wrong, or of other images: one line that names the file and what is in it."""

import pytest

from s2hand.datasets.files import DataError, write_json
from s2hand.datasets.imports.run import import_labels
from tests.datasets.helpers.labels import JOINTS, coco_file, labelled


@pytest.mark.parametrize(
    ("annotations", "category", "message"),
    [
        ([labelled(2, hand="both")], {}, "annotation 7: hand: expected right or left, found 'both'"),
        ([labelled(2, image_id=99)], {}, "annotation 7: image_id 99 is not among the images"),
        ([labelled(2, image_id=[])], {}, r"annotation 7: image_id \[\] is not among the images"),
        ([labelled(2, image_id=None)], {}, "annotation 7: image_id None is not among the images"),
        ([labelled(2, category_id=[1])], {}, r"annotation 7: category_id: expected a number or text, found \[1\]"),
        ([labelled(2), labelled(2, id=None, hand=1)], {}, "annotation no. 2 of the list: hand: expected right or left"),
        ([{"keypoints": [10**400] * 63}], {}, "annotation 7: keypoints: expected 63 numbers, found 1"),
        ([{"keypoints": [1, 2, 3]}], {}, "annotation 7: keypoints: expected 63 numbers, found 3"),
        ([labelled(2), labelled(-1)], {}, "annotation 8: keypoints: expected confidences from 0 to 1, found -1.0"),
        ([labelled(2, scores=[80] * 21)], {}, "annotation 7: keypoints: expected confidences from 0 to 1, found 80.0"),
        ([labelled(2, scores=[1] * 20)], {}, "annotation 7: scores: expected 21 numbers, found 20"),
        ([labelled(2, scores=[0] * 21)], {}, "expected hands of 21 keypoints, found none"),
        ([{"keypoints": ["x"] * 63}], {}, "annotation 7: keypoints: expected 63 numbers, found 1"),
        ([labelled(2, bbox=[1, 2, -3, 4])], {}, r"annotation 7: bbox: expected finite x, y and w, h above 0"),
        ([labelled(2, bbox=[10**400, 2, 3, 4])], {}, r"annotation 7: bbox: expected finite x, y and w, h above 0"),
        ([labelled(0)], {}, "expected hands of 21 keypoints, found none"),
        ([], {}, "expected hands of 21 keypoints, found none"),
        ([labelled(2)], {"keypoints": ["thumb_tip", *["x"] * 20]}, "the wrist first, found 'thumb_tip'"),
    ],
)
def test_wrong_coco_is_one_line(collection, tmp_path, annotations, category, message):
    coco_file(tmp_path / "l.json", ["a.png"], annotations, **category)
    with pytest.raises(DataError, match=rf"l\.json: .*{message}") as refused:
        import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_an_annotation_without_an_image_is_one_line(collection, tmp_path):
    annotation = {"id": 7, **labelled(2)}
    write_json(tmp_path / "l.json", {"images": [], "annotations": [annotation], "categories": []})
    with pytest.raises(DataError, match=r"l\.json: annotation 7: image_id None is not among the images"):
        import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("coco", "{", "not valid JSON"),
        ("coco", "[]", "not a COCO file: expected the lists images, annotations and categories"),
        (
            "coco",
            '{"images": [{"id": 1}], "annotations": [], "categories": []}',
            "image no. 1 of the list: file_name: expected a number or text, found no such field",
        ),
        (
            "coco",
            '{"images": [{"id": [1], "file_name": "a.png"}], "annotations": [], "categories": []}',
            r"image no. 1 of the list: id: expected a number or text, found \[1\]",
        ),
        (
            "coco",
            '{"images": [], "annotations": [], "categories": [{"id": 1}, {"id": {}}]}',
            r"category no. 2 of the list: id: expected a number or text, found \{\}",
        ),
        ("coco-wholebody", '{"images": [], "annotations": [], "categories": []}', "found no hand in them"),
        (
            "coco-wholebody",
            '{"images": [], "annotations": [{"image_id": 1, "id": 7, "lefthand_kpts": [1, 2, 3]}], "categories": []}',
            "annotation 7: lefthand_kpts: expected 63 numbers, x, y, confidence of each joint, found 3",
        ),
        (
            "s2hand-json",
            f"[[{JOINTS}], [{['x'] * 21}], [3]]".replace("'", '"'),
            "item 0: expected x, y and a confidence",
        ),
        (
            "s2hand-json",
            f"[[{[[1e999, 1]] * 21}], [{[1] * 21}], [3]]".replace("inf", "Infinity"),
            "item 0: expected finite",
        ),
        ("s2hand-json", "[[], []]", r"expected a list of three lists, \[xy, confidence, names\]"),
        ("s2hand-json", "[[1], [], []]", r"expected as many xy as confidences and names, found \[1, 0, 0\]"),
        ("s2hand-json", '[[[[1, 2]]], [[1]], ["a.png"]]', r"item 0: expected x, y and a confidence of 21 joints"),
        ("s2hand-json", f"[[{JOINTS}], [{[1] * 21}], [null]]", "item 0: expected an image's name, found None"),
        ("openpose-json", "{}", "expected a file .*_keypoints.json"),
    ],
)
def test_wrong_labels_are_one_line(collection, tmp_path, name, text, message):
    (tmp_path / "l.json").write_text(text)
    with pytest.raises(DataError, match=rf"l\.json: .*{message}"):
        import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", name)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        (None, "not a file of OpenPose's"),
        ([3], "not a file of OpenPose's"),
        ([{"hand_left_keypoints_2d": [1, 2]}], "person 0: hand_left_keypoints_2d: expected 63 numbers"),
        ([{"hand_left_keypoints_2d": [10**400] * 63}], "person 0: hand_left_keypoints_2d: expected 63 numbers"),
        ([{}, {"hand_right_keypoints_2d": ["x"] * 63}], "person 1: hand_right_keypoints_2d: expected 63 numbers"),
    ],
)
def test_wrong_openpose_json(collection, tmp_path, people, message):
    write_json(tmp_path / "a_keypoints.json", {"people": people})
    with pytest.raises(DataError, match=rf"a_keypoints\.json: {message}"):
        import_labels(tmp_path / "a_keypoints.json", collection.images, tmp_path / "out", "openpose-json")


def test_a_label_of_two_images(collection, tmp_path, write_image):
    write_image(collection.images / "a.jpg")
    write_json(tmp_path / "a_keypoints.json", {"people": []})
    with pytest.raises(DataError, match=r"a_keypoints\.json: could be of a\.jpg or a\.png"):
        import_labels(tmp_path / "a_keypoints.json", collection.images, tmp_path / "out", "openpose-json")


def test_labels_of_other_images(collection, tmp_path):
    coco_file(tmp_path / "l.json", ["x/1.jpg"], [labelled(2)])
    with pytest.raises(DataError, match=r"images: holds none of the 1 images that .*l\.json names, such as x/1\.jpg"):
        import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco")
    for name in ("/etc/passwd", "../a.png"):
        coco_file(tmp_path / "l.json", [name], [labelled(2)])
        with pytest.raises(DataError, match="expected a path relative to"):
            import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "coco")
    with pytest.raises(DataError, match="expected the folder of the images"):
        import_labels(tmp_path / "l.json", tmp_path / "none", tmp_path / "out", "coco")
    with pytest.raises(DataError, match=r"none\.json: no such file"):
        import_labels(tmp_path / "none.json", collection.images, tmp_path / "out", "coco")
    with pytest.raises(DataError, match=r"none: no such file or folder"):
        import_labels(tmp_path / "none", collection.images, tmp_path / "out", "openpose-json")
    with pytest.raises(DataError, match=r"images: can't be read: Is a directory"):
        import_labels(collection.images, collection.images, tmp_path / "out", "coco")
    with pytest.raises(DataError, match=r"format: expected one of openpose-json, .*, found 'voc'"):
        import_labels(tmp_path / "l.json", collection.images, tmp_path / "out", "voc")
