"""The parts of the open hand's generator on their own: what they do to small meshes."""

from itertools import pairwise

import numpy as np
import pytest

from s2hand.train.openhand.mesh import _clean, boundary_loops
from s2hand.train.openhand.remesh import Patch, _Editor, _settle

FAR = np.full((1, 3), 1e3)  # a knuckle so far away that edges of one length are wanted everywhere


class Plane:
    """The surface z = 0."""

    def field_and_gradient(self, points, owner):
        return points[:, 2], np.tile([0.0, 0.0, 1.0], (len(points), 1))

    def project(self, points, owner, steps):
        return points * [1.0, 1.0, 0.0]


def square():
    """Five by five vertices in a plane, those of the border first, and fixed."""
    grid = [(x, y) for x in range(5) for y in range(5)]
    border = [place for place in grid if 0 in place or 4 in place]
    names = {place: row for row, place in enumerate([*border, *(place for place in grid if place not in border)])}
    faces = []
    for x in range(4):
        for y in range(4):
            a, b, c, d = (names[x + i, y + j] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)))
            faces += [(a, b, c), (a, c, d)]
    points = np.array([(8.0 * x, 8.0 * y, 0.0) for x, y in names])
    return Patch(points, np.array(faces), len(border))


@pytest.mark.parametrize("wanted", [6, 9, 13])
def test_a_patch_settles_on_the_number_of_vertices_and_keeps_its_border(wanted):
    before = square()
    editor = _Editor(before, FAR)
    _settle(editor, Plane(), wanted)
    after = editor.patch()
    assert len(after.vertices) == before.fixed + wanted
    np.testing.assert_array_equal(after.vertices[: before.fixed], before.vertices[: before.fixed])
    (loop,) = boundary_loops(after.faces)
    assert set(loop) == set(range(before.fixed))
    assert len(after.faces) == 2 * (before.fixed + wanted - 1) - before.fixed, "Euler's number of a disc"
    corners = after.vertices[after.faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    assert (areas > 0).all(), "no face is turned over"
    assert areas.sum() == pytest.approx(32.0**2)


def test_a_patch_without_enough_vertices_to_give_says_so():
    with pytest.raises(RuntimeError, match="can't be simplified"):
        _settle(_Editor(square(), FAR), Plane(), -1)


def test_an_edge_of_one_face_is_not_flipped():
    triangle = Patch(np.eye(3), np.array([[0, 1, 2]]), fixed=0)
    assert not _Editor(triangle, FAR).flip(0, 1)


def test_a_mesh_is_cleaned_of_pinches_and_of_all_but_its_largest_part():
    strip = [[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]]
    pinch, apart = [4, 6, 7], [8, 9, 10]
    faces = np.array([*strip, pinch, apart])
    np.testing.assert_array_equal(_clean(faces), [[0, 1, 2], [1, 3, 2]])  # all faces at vertex 4 go


def test_loops_follow_the_faces_around_a_hole():
    ring = [(i, (i + 1) % 4, 4 + i) for i in range(4)] + [((i + 1) % 4, 4 + (i + 1) % 4, 4 + i) for i in range(4)]
    inner, outer = sorted(boundary_loops(np.array(ring)), key=min)
    assert set(pairwise([*inner, inner[0]])) == {(i, (i + 1) % 4) for i in range(4)}
    assert set(pairwise([*outer, outer[0]])) == {(4 + (i + 1) % 4, 4 + i) for i in range(4)}


def test_a_vertex_is_merged_only_where_no_face_turns_over():
    corner = [(0, 0, 0), (4, 0, 0), (4, 1, 0), (1, 1, 0), (1, 4, 0), (0, 4, 0)]  # an L, all of it seen from (1, 1)
    fan = [(row, (row + 1) % 6, 6) for row in range(6)]
    editor = _Editor(Patch(np.array([*corner, (0.5, 0.5, 0)]), np.array(fan), fixed=6), FAR)
    assert not editor.collapse(1, 6, 1e9)
    assert editor.free_count() == 1
    assert editor.collapse(3, 6, 1e9)
    assert editor.free_count() == 0
    assert len(editor.patch().faces) == 4
