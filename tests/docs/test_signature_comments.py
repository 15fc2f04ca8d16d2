"""What stands behind arguments and fields in the code stands on the API pages."""

from pathlib import Path

import griffe

EXTENSION = f"{Path(__file__).parents[2] / 'docs' / 'signature_comments.py'}:SignatureComments"
CODE = '''
class Hand:
    """A hand.

    >>> Hand().joints
    1
    """

    joints: float  # [21, 3] metres
    _hidden: int = 3


def put(
    hand: Hand,  # of one person
    where: float,  # metres
    *,
    how: str = "softly",  # noqa: X1
) -> float:  # [B]
    """Put it there.

    Args:
        where: from the wrist.

    Raises:
        ValueError: never.
    """
    return where  # not of the signature


def move(xy: float, size: int) -> float:  # [N, 2] -> [N, 2]
    """Move."""
'''


def test_comments_and_examples(tmp_path):
    (tmp_path / "shown.py").write_text(CODE)
    module = griffe.load("shown", search_paths=[tmp_path], extensions=griffe.load_extensions(EXTENSION))
    texts = {name: module[name].docstring.value.split("\n") for name in ("Hand", "put", "move")}
    assert texts["Hand"][2:] == [
        "```pycon",
        ">>> Hand().joints",
        "1",
        "```",
        "",
        "Attributes:",
        "    joints: [21, 3] metres",
        "",
    ]
    assert texts["put"][:7] == [
        "Put it there.",
        "",
        "Result: [B].",
        "",
        "Args:",
        "    hand: of one person",
        "    where: metres; from the wrist.",
    ]
    assert texts["put"][8:] == ["Raises:", "    ValueError: never."]
    assert texts["move"] == ["Move.", "", "Shapes: [N, 2] -> [N, 2]."]
