"""People without hands, as solid bodies: heads with hair and faces, necks, shirts, arms that end in nothing.

What a finder of hands must tell from hands: the same skin in the same light, as round and as creased, but no fingers.
"""

import numpy as np

from s2hand.pipeline.synthetic.backgrounds import sample_texture
from s2hand.pipeline.synthetic.lights import sample_lights
from s2hand.pipeline.synthetic.meshes import TEXTURE_SIDE, Mesh, Surface, join, loft_faces, make_mesh
from s2hand.pipeline.synthetic.noise import Bytes, Floats, colour, fractal
from s2hand.pipeline.synthetic.photo import Foreground
from s2hand.pipeline.synthetic.posing import Doubles, rotation_matrix
from s2hand.pipeline.synthetic.shade import draw, shade
from s2hand.pipeline.synthetic.skin import Skin, arm_texture, sample_skin

_HEAD = np.array([0.074, 0.112, 0.092])  # half axes in metres: across, up, forward
_RINGS, _SIDES = 24, 28
_BACK_OF_CAMERA = np.diag([1.0, -1.0, -1.0])  # people: x right, y up, z to the camera; cameras: y down, z forward


def render_person(rng: np.random.Generator, size: int) -> Foreground:
    """A person without hands, or a part of one, at [size, size] pixels: mostly a face, or a bust, or arms alone."""
    skin, lights = sample_skin(rng), sample_lights(rng)
    arms_only = rng.random() < 0.25
    pieces = _arms(rng, skin) if arms_only else _head(rng, skin)
    if not arms_only and rng.random() < 0.75:
        pieces += _body(rng, skin) + (_arms(rng, skin) if rng.random() < 0.6 else [])
    turn = rng.normal(0, (0.25, 0.6, 0.2)) if not arms_only else rng.normal(0, 1, 3)
    middle, reach = _extent(pieces)
    reach *= rng.uniform(0.35, 1.1)  # close to the face, or all of it
    focal = size * rng.uniform(1.5, 3.5)
    place = np.array([*rng.normal(0, 0.15 * reach, 2), focal * 2 * reach / size])
    rotation = _BACK_OF_CAMERA @ rotation_matrix(turn[None])[0]
    moved = [_moved(piece, rotation, place - rotation @ middle) for piece in pieces]
    scene = join(moved, moved[0].faces)
    drawn = draw(scene, 2 * focal, np.array([size, size], float), 2 * size)
    shaded = shade(scene, drawn, skin, lights, (2 * focal, size, size))
    return Foreground(shaded.light, shaded.cover)


def _extent(pieces: list[Mesh]) -> tuple[Doubles, float]:
    """The middle of the first piece, and how far it and what belongs to it reach."""
    first = pieces[0].vertices.astype(np.float64)
    points = np.concatenate([piece.vertices for piece in pieces])
    middle = (first.min(0) + first.max(0)) / 2
    return middle, float(np.abs(points - middle)[:, :2].max())


def _moved(piece: Mesh, rotation: Doubles, place: Doubles) -> Mesh:
    vertices = (piece.vertices @ rotation.T + place).astype(np.float32)
    return Mesh(vertices, piece.faces, (piece.normals @ rotation.T).astype(np.float32), piece.uv, piece.surface)


def _head(rng: np.random.Generator, skin: Skin) -> list[Mesh]:
    """A head about the origin, its face towards +z."""
    tone = arm_texture(rng, skin.tone)
    flesh = Surface(tone, skin.specular, skin.gloss, 1.0)
    shape = _HEAD * rng.normal(1, 0.05, 3)
    skull = _globe(np.zeros(3), shape, flesh, jaw=rng.uniform(0.15, 0.45))
    nose = rng.uniform(0.8, 1.3)
    pieces = [
        skull,
        _globe(_on_face(shape, 0, -0.02), np.array([0.013, 0.024, 0.016]) * nose, flesh),
        _globe(_on_face(shape, 0, -0.033) + np.array([0, 0, 0.008]), np.array([0.017, 0.01, 0.013]) * nose, flesh),
    ]
    for side in (-1, 1):
        pieces.append(_globe(np.array([side * shape[0], -0.005, -0.01]), np.array([0.012, 0.032, 0.02]), flesh))
        pieces += _eye(rng, shape, side)
    pieces += _mouth(rng, shape, tone)
    if rng.random() < 0.92:
        pieces += _hair(rng, shape)
    return pieces


def _on_face(shape: Doubles, x: float, y: float) -> Doubles:
    """The point of the head's front at x, y."""
    return np.array([x, y, shape[2] * np.sqrt(max(0.05, 1 - (x / shape[0]) ** 2 - (y / shape[1]) ** 2))])


def _eye(rng: np.random.Generator, shape: Doubles, side: int) -> list[Mesh]:
    """White, iris and brow."""
    at = _on_face(shape, side * 0.031, 0.018)
    iris = (np.array(colour(rng)) * 0.3).astype(np.uint8)
    brow = (np.array(colour(rng)) * rng.uniform(0.05, 0.4)).astype(np.uint8)
    white = np.array([230, 222, 215], np.uint8)
    open_ = rng.uniform(0.3, 1)
    return [
        _globe(at - [0, 0, 0.004], np.array([0.014, 0.0075 * open_, 0.009]), _plain(white, 0.3)),
        _globe(at + np.array([0, 0, 0.0005]), np.array([0.006, 0.006 * open_, 0.006]), _plain(iris, 0.5)),
        _globe(_on_face(shape, side * 0.034, 0.04), np.array([0.02, 0.004, 0.006]), _plain(brow, 0.01)),
    ]


def _mouth(rng: np.random.Generator, shape: Doubles, tone: Bytes) -> list[Mesh]:
    """Lips, redder than the skin; sometimes teeth between, sometimes a beard around."""
    red = np.clip(tone.mean((0, 1)) * [1.0, rng.uniform(0.55, 0.9), rng.uniform(0.6, 0.95)], 0, 255).astype(np.uint8)
    at, wide = _on_face(shape, 0, -0.062) - [0, 0, 0.006], rng.uniform(0.02, 0.03)
    apart = rng.uniform(0.003, 0.009)
    pieces = [
        _globe(at + np.array([0, sign * apart, 0]), np.array([wide, 0.005, 0.009]), _plain(red, 0.15))
        for sign in (-1.0, 1.0)
    ]
    if apart > 0.005:
        pieces.append(
            _globe(at, np.array([wide * 0.85, apart, 0.006]), _plain(np.array([235, 230, 220], np.uint8), 0.2))
        )
    if rng.random() < 0.25:
        beard = _plain((np.array(colour(rng)) * rng.uniform(0.1, 0.5)).astype(np.uint8), 0.01)
        pieces.append(_globe(np.array([0, -0.075, 0.025]), np.array([0.055, 0.04, 0.055]), beard))
    return pieces


def _hair(rng: np.random.Generator, shape: Doubles) -> list[Mesh]:
    """A cap of hair, short or wide, and sometimes a fall of it behind."""
    natural = np.array([90, 62, 42]) * np.exp(rng.normal(0, 0.15, 3)) * rng.uniform(0.1, 1.9)
    tint = natural if rng.random() < 0.8 else np.array(colour(rng)) * 0.7
    grain = np.exp(0.3 * fractal(rng, TEXTURE_SIDE, 1, rng.uniform(0.6, 0.9)))
    surface = Surface(np.clip(tint * grain, 0, 255).astype(np.uint8), 0.08, 4)
    thick = 1 + rng.exponential(0.12)
    cap = _globe(np.array([0, 0.028, -0.03]), shape * [1.06, 0.88, 0.9] * thick, surface)
    if rng.random() < 0.6:
        return [cap]
    length = rng.uniform(0.1, 0.35)
    centre = np.array([0, 0.03 - length / 2, -0.055])
    return [cap, _globe(centre, np.array([0.1 * thick, 0.08 + length / 2, 0.06]), surface)]


def _body(rng: np.random.Generator, skin: Skin) -> list[Mesh]:
    """Neck and a clothed chest below a head at the origin."""
    flesh = Surface(arm_texture(rng, skin.tone), skin.specular, skin.gloss, 0.7)
    cloth = Surface(sample_texture(rng), 0.02, 3)
    neck = _tube(np.array([[0, -0.05, -0.02], [0, -0.17, -0.03]]), np.array([0.052, 0.06]), 1.0, flesh)
    heights = np.array([-0.14, -0.16, -0.19, -0.25, -0.4, -0.62])
    widths = np.array([0.04, 0.1, 0.17, 0.2, 0.19, 0.17]) * rng.uniform(0.9, 1.2)
    line = np.stack([np.zeros(6), heights, np.full(6, -0.03)], 1)
    return [neck, _tube(line, widths, rng.uniform(0.5, 0.7), cloth)]


def _arms(rng: np.random.Generator, skin: Skin) -> list[Mesh]:
    """One or two arms from the shoulders, bent somehow; cloth over a part of them or all."""
    pieces = []
    flesh = Surface(arm_texture(rng, skin.tone), skin.specular, skin.gloss, 0.7)
    cloth = Surface(sample_texture(rng), 0.02, 3)
    for side in (-1, 1)[: 1 + int(rng.random() < 0.6)]:
        shoulder = np.array([side * 0.19, -0.21, -0.03])
        elbow = shoulder + _way(rng, [side * 0.4, -1, 0.1]) * 0.29
        end = elbow + _way(rng, [-side * 0.4, 0.2, 0.8]) * rng.uniform(0.12, 0.25)
        lower = _tube(np.stack([elbow, end]), np.array([0.044, 0.03]), 1.0, cloth if rng.random() < 0.4 else flesh)
        upper = _tube(
            np.stack([shoulder, elbow]), np.array([0.058, 0.045]), 1.0, cloth if rng.random() < 0.7 else flesh
        )
        pieces += [lower, upper]
    return pieces


def _way(rng: np.random.Generator, mean: list[float]) -> Doubles:
    way = np.array(mean) + rng.normal(0, 0.6, 3)
    return np.asarray(way / np.linalg.norm(way))


def _plain(tint: Bytes, specular: float) -> Surface:
    return Surface(np.broadcast_to(tint, (TEXTURE_SIDE, TEXTURE_SIDE, 3)).copy(), specular, 4, 0.2)


def _globe(centre: Doubles, radii: Doubles, surface: Surface, jaw: float = 0.0) -> Mesh:
    """An ellipsoid; `jaw` narrows its lower half, as a chin does."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, _RINGS)
    around = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    up = np.repeat(np.sin(angle)[:, None], _SIDES, 1)
    out = np.cos(angle)[:, None]
    narrow = 1 - jaw * np.clip(-up, 0, 1) ** 1.5
    # Rings advance upwards, so that a ring seen from above runs from x towards -z.
    points = np.stack([out * np.cos(around) * narrow, up, -out * np.sin(around) * (1 - (1 - narrow) * 0.4)], -1)
    return _lofted(points * radii + centre, surface)


def _tube(line: Doubles, radii: Doubles, flat: float, surface: Surface) -> Mesh:
    """A tube with round ends along points [N, 3]; its depth is `flat` of its width."""
    way = line[-1] - line[0]
    along = way / np.linalg.norm(way)
    side = np.array([1.0, 0, 0]) if abs(along[0]) < 0.8 else np.array([0, 0, 1.0])
    side = side - (side @ along) * along
    side /= np.linalg.norm(side)
    other = np.cross(along, side)
    where = np.concatenate([[-0.001], np.linspace(0, 1, 10), [1.001]]) * (len(line) - 1)
    steps = np.arange(len(line))
    centres = np.stack([np.interp(where, steps, line[:, k]) for k in range(3)], 1)
    widths = np.interp(where, steps, radii)
    for end, sign, of in ((0, -1, widths[0]), (-1, 1, widths[-1])):
        centres[end] += sign * along * 0.5 * of
        widths[end] = 1e-4
    around = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    circle = np.cos(around)[:, None] * side + np.sin(around)[:, None] * other * flat
    return _lofted(centres[:, None] + widths[:, None, None] * circle, surface)


def _lofted(points: Floats, surface: Surface) -> Mesh:
    """A mesh over rings of points [R, S, 3]."""
    rings, sides = points.shape[:2]
    u = np.abs(np.linspace(-1, 1, sides, endpoint=False))
    uv = np.stack(np.broadcast_arrays(u[None], np.linspace(0, 1, rings)[:, None]), -1).reshape(-1, 2)
    return make_mesh(points.reshape(-1, 3).astype(np.float32), loft_faces(rings, sides), uv.astype(np.float32), surface)
