"""Base layers of a background: walls, fabrics, tiles, wood, foliage, rooms, shelves, pages, lights in the dark.

Every painter takes a generator and a size and returns an image [size, size, 3], uint8 RGB. All of it is procedural.
"""

import cv2
import numpy as np

from s2hand.pipeline.synthetic.noise import Bytes, Floats, colour, fractal, palette, soften

_LINE = cv2.LINE_AA


def wall(rng: np.random.Generator, size: int) -> Bytes:
    """A plain surface: a colour gradient between four corners and a little grain."""
    base = np.array(colour(rng), np.float32)
    corners = base + rng.normal(0, rng.uniform(3, 45), (2, 2, 3)).astype(np.float32)
    image = np.asarray(cv2.resize(corners.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    image += fractal(rng, size, 1, rng.uniform(0.4, 0.95)) * rng.exponential(7)
    return _bytes(image)


def clouds(rng: np.random.Generator, size: int) -> Bytes:
    """Coloured noise with the spectrum of natural pictures."""
    mixing = rng.normal(0, 1, (3, 3)).astype(np.float32) * rng.uniform(0.1, 0.5) + 1
    field = fractal(rng, size, 3, rng.uniform(0.5, 0.95), coarse=rng.uniform(0.5, 3)) @ mixing
    return _bytes(np.array(colour(rng), np.float32) + field * rng.uniform(8, 30))


def woven(rng: np.random.Generator, size: int) -> Bytes:
    """Stripes, checks, tiles, planks or cloth on a plane seen at an angle."""
    u, v = _plane(rng, size)
    first, second, third = (np.array(c, np.float32) for c in palette(rng, 3, 40))
    kind = rng.integers(5)
    image: Floats
    if kind == 0:  # stripes
        blend = _square(u, rng.uniform(0.2, 0.8))[..., None]
        image = first * blend + second * (1 - blend)
    elif kind == 1:  # checks
        a, b = _square(u, 0.5)[..., None], _square(v, 0.5)[..., None]
        image = first * a * b + second * (1 - a) * (1 - b) + third * (a * (1 - b) + b * (1 - a))
    elif kind == 2:  # tiles with joints; every other row shifted makes bricks
        row = np.floor(v)
        gap = rng.uniform(0.02, 0.1)
        shifted = u + row * rng.choice([0.0, 0.5])
        joint = ((shifted % 1 < gap) | (v % 1 < gap))[..., None]
        tone = np.sin(np.floor(shifted) * 12.9 + row * 78.2)[..., None] * rng.uniform(0, 25)
        image = np.where(joint, second, first + tone)
    elif kind == 3:  # planks with grain
        plank = np.floor(v)
        grain = np.sin(3 * (u * 0.3 + 2 * fractal(rng, size, 1, 0.6)[..., 0]) + plank * 2.4) * rng.uniform(4, 16)
        tone = np.sin(plank * 12.9) * 14 - 40 * (v % 1 < 0.04)
        image = first + (grain + tone)[..., None] * np.array([1, 0.8, 0.6], np.float32)
    else:  # cloth: fine threads and soft folds
        threads = np.sin(u * 40) * np.sin(v * 40) * rng.uniform(2, 20)
        folds = fractal(rng, size, 1, 0.45)[..., 0] * rng.uniform(5, 30)
        image = first + (threads + folds)[..., None]
    return _bytes(image + fractal(rng, size, 1, 0.8) * rng.exponential(5))


def leaves(rng: np.random.Generator, size: int) -> Bytes:
    """Dead leaves: overlapping shapes of all sizes, as crowded scenes statistically are; sometimes all of one kind."""
    image = wall(rng, size)
    count = int(rng.integers(30, 110))
    radii = size * 0.5 / (1 + 25 * np.sqrt(np.linspace(0, 1, count)))  # large ones first
    radii *= rng.uniform(0.7, 1.6, count)
    scatter(rng, image, radii, palette(rng, 12, rng.uniform(20, 60)), int(rng.integers(4)))
    return image


def scatter(
    rng: np.random.Generator, image: Bytes, radii: Floats, colours: list[tuple[int, int, int]], kind: int
) -> None:
    """Draw filled ellipses (kind 0), polygons (1), boxes (2) or all of them (3) of given radii (pixels) anywhere."""
    count, size = len(radii), len(image)
    places = rng.uniform(-0.05, 1.05, (count, 2)) * size
    kinds = rng.integers(0, 3, count) if kind == 3 else np.full(count, kind)
    corners = np.where(kinds == 1, rng.integers(3, 8, count), 4)
    angles = np.sort(rng.uniform(0, 2 * np.pi, (count, 8)), axis=1)
    angles[kinds == 2] = np.arange(8) * np.pi / 2 + np.pi / 4
    flat = rng.uniform(0.3, 1.1, count)
    turns = np.where(kinds == 2, rng.normal(0, 0.15, count), rng.uniform(0, np.pi, count))
    x, y = np.cos(angles) * radii[:, None], np.sin(angles) * (radii * flat)[:, None]
    cos, sin = np.cos(turns)[:, None], np.sin(turns)[:, None]
    outlines = np.stack([cos * x - sin * y, sin * x + cos * y], -1) + places[:, None]
    outlines_px, places_px = outlines.astype(np.int32), places.astype(int).tolist()
    axes = np.maximum(np.stack([radii, radii * flat], -1), 1).astype(int).tolist()
    degrees = np.degrees(turns)
    for i in range(count):
        tint = colours[i % len(colours)]
        if kinds[i] == 0:
            cv2.ellipse(image, places_px[i], axes[i], degrees[i], 0, 360, tint, -1)
        else:
            cv2.fillPoly(image, [outlines_px[i, : corners[i]]], tint)


def room(rng: np.random.Generator, size: int) -> Bytes:
    """Indoors: wall, floor or table edge, and doors, frames, windows, posters with their mouldings."""
    image = wall(rng, size)
    horizon = rng.uniform(0.35, 1.1) * size
    tilt = rng.normal(0, 0.15) * size
    floor = woven(rng, size) if rng.random() < 0.5 else wall(rng, size)
    mask = np.zeros((size, size), np.uint8)
    ground = np.array([[-5, horizon - tilt], [size + 5, horizon + tilt], [size + 5, size + 5], [-5, size + 5]])
    cv2.fillPoly(mask, [ground.astype(np.int32)], 255, _LINE)
    image = np.where(mask[..., None] > 127, floor, image)
    for _ in range(int(rng.integers(1, 6))):
        a = rng.uniform(-0.2, 1.0, 2) * size
        b = a + rng.uniform(0.1, 0.8, 2) * size
        box = np.array([a, [b[0], a[1]], b, [a[0], b[1]]]) + rng.normal(0, 0.02 * size, (4, 2))
        cv2.fillPoly(image, [box.astype(np.int32)], colour(rng), _LINE)
        for _ in range(int(rng.integers(0, 3))):
            width = int(max(1, rng.uniform(0.005, 0.05) * size))
            cv2.polylines(image, [box.astype(np.int32)], True, colour(rng), width, _LINE)
            box = box + (box.mean(0) - box) * rng.uniform(0.05, 0.25)
    return image


def shelves(rng: np.random.Generator, size: int) -> Bytes:
    """Rows of similar things on shelves: books, cans, bottles; repeated vertical edges with highlights."""
    image = wall(rng, size)
    pitch = rng.uniform(0.15, 0.45) * size
    top = rng.uniform(-pitch, 0)
    while top < size:
        colours = palette(rng, 5, 30)
        x = rng.uniform(-0.1, 0) * size
        width, height = rng.uniform(0.25, 0.6) * pitch, rng.uniform(0.5, 0.9) * pitch
        regular = rng.random() < 0.6
        while x < size:
            w = width if regular else width * rng.uniform(0.4, 1.3)
            h = height if regular else height * rng.uniform(0.7, 1.1)
            _standing(rng, image, (x, top + pitch - h, w * 0.93, h), colours[int(rng.integers(5))])
            x += w
        line = int(top + pitch)
        cv2.rectangle(image, (0, line), (size, line + int(max(1, pitch * 0.08))), colour(rng), -1)
        top += pitch * 1.08
    return _warped(rng, image)


def _standing(rng: np.random.Generator, image: Bytes, box: tuple[float, ...], tint: tuple[int, ...]) -> None:
    """One upright thing: body, a label and a highlight along its side."""
    x, y, w, h = (int(v) for v in box)
    cv2.rectangle(image, (x, y), (x + w, y + h), tint, -1)
    shine = tuple(min(255, int(c * 1.35 + 25)) for c in tint)
    shade = tuple(int(c * 0.6) for c in tint)
    cv2.rectangle(image, (x + w // 5, y), (x + w // 3, y + h), shine, -1)
    cv2.rectangle(image, (x + 4 * w // 5, y), (x + w, y + h), shade, -1)
    if rng.random() < 0.6:
        a, b = sorted(rng.uniform(0.1, 0.9, 2))
        cv2.rectangle(image, (x, y + int(a * h)), (x + w, y + int(b * h)), colour(rng), -1)


def page(rng: np.random.Generator, size: int) -> Bytes:
    """Paper or a screen with lines of marks that look like text, a heading and a picture."""
    paper = np.array(colour(rng)) if rng.random() < 0.25 else np.full(3, rng.uniform(190, 250)) + rng.normal(0, 6, 3)
    image = np.ascontiguousarray(np.broadcast_to(_bytes(paper), (size, size, 3)))
    ink = tuple(int(c) for c in _bytes(rng.uniform(0, 90) + rng.normal(0, 10, 3)))
    pitch = max(3.0, rng.uniform(0.03, 0.1) * size)
    y = rng.uniform(-pitch, pitch)
    while y < size:
        x = rng.uniform(0, 0.1) * size
        high = max(1, int(pitch * rng.uniform(0.25, 0.5)))
        while x < size:
            word = pitch * rng.uniform(0.2, 1.6)
            if rng.random() < 0.85:
                cv2.rectangle(image, (int(x), int(y)), (int(x + word * 0.8), int(y) + high), ink, -1 if high < 4 else 1)
            x += word
        y += pitch
    if rng.random() < 0.4:
        a = rng.uniform(0, 0.7, 2) * size
        cv2.rectangle(image, a.astype(int).tolist(), (a + 0.3 * size).astype(int).tolist(), colour(rng), -1)
    return _warped(rng, image)


def lights(rng: np.random.Generator, size: int) -> Bytes:
    """A dark or dim place with lamps out of focus."""
    image = _bytes(np.array(colour(rng), np.float32) * rng.uniform(0.05, 0.6) + np.zeros((size, size, 3), np.float32))
    for _ in range(int(rng.integers(5, 40))):
        x, y = (rng.uniform(0, 1, 2) * size).astype(int)
        cv2.circle(image, (int(x), int(y)), int(max(1, rng.exponential(0.04) * size)), colour(rng), -1, _LINE)
    return soften(image, max(0.5, rng.uniform(0.005, 0.04) * size))


def _plane(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    """Texture coordinates of a plane at a random angle, two arrays [size, size]."""
    y, x = np.meshgrid(
        np.linspace(-1, 1, size, dtype=np.float32), np.linspace(-1, 1, size, dtype=np.float32), indexing="ij"
    )
    turn, scale = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(1.5), np.log(14)))
    depth = 1 + x * rng.uniform(-0.5, 0.5) + y * rng.uniform(-0.5, 0.5)
    cos, sin = np.float32(np.cos(turn) * scale), np.float32(np.sin(turn) * scale)
    return ((cos * x - sin * y) / depth + 100).astype(np.float32), ((sin * x + cos * y) / depth + 100).astype(
        np.float32
    )


def _square(u: Floats, duty: float) -> Floats:
    """A square wave of period 1, 1 for the fraction `duty` of it."""
    return (u % 1 < duty).astype(np.float32)


def _warped(rng: np.random.Generator, image: Bytes) -> Bytes:
    """The picture seen at an angle: a random homography that keeps the frame full."""
    size = len(image)
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    centre, grow, turn = size / 2, rng.uniform(1.15, 1.6), rng.normal(0, 0.25)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], np.float32)
    moved = (corners - centre) @ spin.T * grow + centre + rng.normal(0, 0.06 * size, (4, 2))
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return np.asarray(cv2.warpPerspective(image, matrix, (size, size), borderMode=cv2.BORDER_REFLECT))


def _bytes(values: Floats) -> Bytes:
    """Clamp to 0..255."""
    return np.clip(values, 0, 255).astype(np.uint8)
