"""What a hand hangs on: a forearm that continues the wrist's opening, and a sleeve, a cuff or a watch around it."""

import numpy as np

from s2hand.pipeline.synthetic.backgrounds import sample_texture
from s2hand.pipeline.synthetic.meshes import TEXTURE_SIDE, Ints, Mesh, Surface, loft_faces, make_mesh
from s2hand.pipeline.synthetic.patterns import wall
from s2hand.pipeline.synthetic.posing import Doubles, rotation_matrix
from s2hand.pipeline.synthetic.skin import Skin, arm_texture

_NEAREST_M = 0.07
_RINGS = 14
_FULL_M = 0.25  # up to here a forearm grows thicker


def wrist_loop(faces: Ints) -> list[int]:
    """The vertices of the boundary loop of a mesh with one opening, in the order of its faces' free edges."""
    edges = {(int(a), int(b)) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)}
    following = {a: b for a, b in edges if (b, a) not in edges}
    loop = [min(following)]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    return loop


def sample_arm(rng: np.random.Generator, opening: Doubles, rotation: Doubles, skin: Skin) -> list[Mesh]:
    """Forearm and what covers it.

    opening: [16, 3] the wrist's boundary loop in camera coordinates; rotation: [3, 3] hand to camera.
    """
    bend = rotation_matrix(np.array([[0, *np.clip(rng.normal(0, (0.18, 0.38)), -0.85, 0.85)]]))[0]
    straight = rotation @ np.array([1.0, 0, 0])
    bent = rotation @ bend @ np.array([1.0, 0, 0])
    along = np.linspace(0, 1, _RINGS) ** 1.7 * rng.uniform(0.3, 0.6)  # finer at the wrist, where it bends
    spine = _spine(opening.mean(0), straight, bent, along, bool(rng.random() < 0.5))
    growth = rng.uniform(1.2, 1.55)
    rings = _rings(opening, spine, np.minimum(along / _FULL_M, 1), growth)
    rings = rings[: _visible(rings)]
    if len(rings) < 2:
        return []
    texture = arm_texture(rng, skin.tone)
    pieces = [_tube(rings, Surface(texture, skin.specular * 0.7, skin.gloss, 0.5), around=1.0, along=1.5)]
    if rng.random() < 0.5:
        pieces += _sleeve(rng, rings)
    if rng.random() < 0.12:
        pieces += _watch(rng, rings)
    return pieces


def _spine(start: Doubles, straight: Doubles, bent: Doubles, along: Doubles, sharp: bool) -> Doubles:
    """Centre line [R, 3]: leaves the wrist straight and bends, within 3 cm or 6 cm."""
    knee = start + straight * (0.015 if sharp else 0.03)
    t = along[:, None]
    blend = np.clip(t / (0.03 if sharp else 0.06), 0, 1)
    return np.asarray((1 - blend) * (start + straight * t) + blend * (knee + bent * (t - (knee - start) @ straight)))


def _rings(opening: Doubles, spine: Doubles, share: Doubles, growth: float) -> Doubles:
    """Rings [R, 16, 3] about the spine: the opening's own outline, growing, turned to stay across the spine."""
    outline = opening - opening.mean(0)
    ways = np.diff(spine, axis=0)
    ways /= np.sqrt((ways**2).sum(1, keepdims=True))
    flat = outline[None] - (outline @ ways.T).T[..., None] * ways[:, None]
    sizes = 1 + (growth - 1) * share[1:, None, None]
    return np.concatenate([opening[None], spine[1:, None] + flat * sizes])


def _visible(rings: Doubles) -> int:
    """How many rings lie in front of the camera."""
    behind = rings[..., 2].min(1) < _NEAREST_M
    return int(np.argmax(behind)) if behind.any() else len(rings)


def _tube(rings: Doubles, surface: Surface, around: float, along: float) -> Mesh:
    """A mesh over rings whose order turns with the loop of the hand's faces."""
    count, sides = rings.shape[:2]
    u = np.abs(np.linspace(-1, 1, sides, endpoint=False)) * around
    v = np.linspace(0, along, count)
    uv = np.stack(np.broadcast_arrays(u[None], v[:, None]), -1).reshape(-1, 2)
    # The loop runs along the hand's own faces; the tube continues outward on its other side, so it turns the other way.
    faces = loft_faces(count, sides)[:, ::-1].copy()
    return make_mesh(rings.reshape(-1, 3).astype(np.float32), faces, uv, surface)


def _wider(rings: Doubles, factor: Doubles) -> Doubles:
    """Rings scaled about their centres by factor [R] or [R, sides]."""
    centre = rings.mean(1, keepdims=True)
    scale = factor[..., None] if factor.ndim == 2 else factor[:, None, None]
    return np.asarray(centre + (rings - centre) * scale)


def _resampled(rings: Doubles, where: Doubles) -> Doubles:
    """Rings at fractional positions along the arm."""
    at = np.clip(where, 0, len(rings) - 1.001)
    low = at.astype(int)
    part = (at - low)[:, None, None]
    return np.asarray(rings[low] * (1 - part) + rings[low + 1] * part)


def _sleeve(rng: np.random.Generator, rings: Doubles) -> list[Mesh]:
    """Cloth from some way up the arm, with folds and the thickness of its hem."""
    start = rng.uniform(0, 0.5 * (len(rings) - 1)) if rng.random() < 0.7 else rng.uniform(0, 0.5)
    where = np.linspace(start, len(rings) - 1, 14)
    tube = _resampled(rings, where)
    ease, flare = rng.uniform(1.06, 1.3), rng.uniform(0, 0.25)
    phases = np.cumsum(rng.normal(0, 1, tube.shape[1]))
    folds = 1 + rng.uniform(0, 0.06) * np.sin(np.arange(14)[:, None] * rng.uniform(0.8, 2.5) + phases)
    tube = _wider(tube, ease * folds * (1 + flare * np.linspace(0, 1, 14)[:, None]))
    hem = _wider(tube[:1], np.array([0.8]))  # the inner edge: closes the gap to the skin
    surface = Surface(sample_texture(rng), 0.01, 2)
    return [_tube(np.concatenate([hem, tube]), surface, float(rng.choice([1, 2, 4])), float(rng.choice([1, 3])))]


def _watch(rng: np.random.Generator, rings: Doubles) -> list[Mesh]:
    """A band near the wrist."""
    start = rng.uniform(0.2, 1.5)
    where = start + np.array([0, 0.03, 0.4, 0.43]) * rng.uniform(0.6, 1.6)
    band = _wider(_resampled(rings, where), np.array([1.0, 1.12, 1.12, 1.0]))
    surface = Surface(wall(rng, TEXTURE_SIDE), float(rng.uniform(0.05, 0.8)), 4)
    return [_tube(band, surface, 1, 1)]
