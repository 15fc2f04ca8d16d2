"""Things drawn over a background: shapes, lines, blurred and shaded blobs, limbs, faces, clothes, marks.

Every function draws on an image [size, size, 3], uint8 RGB, in place.
"""

import cv2
import numpy as np

from s2hand.pipeline.synthetic.noise import Bytes, Floats, colour, palette
from s2hand.pipeline.synthetic.patterns import scatter
from s2hand.pipeline.synthetic.skin_tones import skin_bytes

_LINE = cv2.LINE_AA


def shapes(rng: np.random.Generator, image: Bytes) -> None:
    """Flat polygons, ellipses and boxes of one palette."""
    radii = len(image) * np.minimum(0.45, 0.04 + rng.exponential(0.1, int(rng.integers(2, 12))))
    scatter(rng, image, radii, palette(rng, 6, 40), 3)


def bars(rng: np.random.Generator, image: Bytes) -> None:
    """Lines and rods: straight, some with a highlight, like rails, cables, pens and table edges."""
    size = len(image)
    for _ in range(int(rng.integers(1, 9))):
        a, b = (rng.uniform(-0.3, 1.3, (2, 2)) * size).astype(int)
        tint, width = colour(rng), int(max(1, rng.exponential(0.03) * size))
        cv2.line(image, a.tolist(), b.tolist(), tint, width, _LINE)
        if width > 3 and rng.random() < 0.7:
            shine = tuple(min(255, c + 50) for c in tint)
            cv2.line(image, a.tolist(), b.tolist(), shine, max(1, width // 3), _LINE)


def marks(rng: np.random.Generator, image: Bytes) -> None:
    """Letters and digits, printed at any size and angle."""
    size = len(image)
    text = "".join(rng.choice(list("ABEHKMNRSTWXaegkmnrst0123456789"), int(rng.integers(1, 9))))
    place = (rng.uniform(-0.1, 0.8, 2) * size).astype(int).tolist()
    scale, width = rng.uniform(0.2, 1.5) * size / 128, int(rng.integers(1, 4))
    cv2.putText(image, text, place, int(rng.integers(0, 8)), scale, colour(rng), width, _LINE)


def limbs(rng: np.random.Generator, image: Bytes) -> None:
    """Skin-coloured tapered tubes that end in fingers or nothing: other people's arms, or the other arm."""
    size = len(image)
    for _ in range(int(rng.integers(1, 4))):
        start = rng.uniform(-0.2, 1.2, 2) * size
        turn, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.0) * size
        end = start + length * np.array([np.cos(turn), np.sin(turn)])
        width = rng.uniform(0.05, 0.22) * size
        tone = skin_bytes(rng)
        _tube(image, start, end, width, tone)
        if rng.random() < 0.5:
            for spread in np.linspace(-0.7, 0.7, int(rng.integers(2, 6))) + rng.normal(0, 0.1):
                tip = end + width * rng.uniform(0.8, 2) * np.array([np.cos(turn + spread), np.sin(turn + spread)])
                _tube(image, end, tip, width * 0.28, tone)


def _tube(image: Bytes, start: Floats, end: Floats, width: float, tone: tuple[int, ...]) -> None:
    """A thick line, darker at one side."""
    a, b = start.astype(int), end.astype(int)
    side = np.array([a[1] - b[1], b[0] - a[0]]) / max(1.0, float(np.hypot(*(b - a)))) * width
    for shift, light, share in ((0.0, 0.72, 1.0), (0.1, 0.88, 0.75), (0.18, 1.0, 0.5)):
        tint = tuple(int(c * light) for c in tone)
        move = (side * shift).astype(int)
        cv2.line(image, (a + move).tolist(), (b + move).tolist(), tint, max(1, int(width * share)), _LINE)


def face(rng: np.random.Generator, image: Bytes) -> None:
    """A head: hair, a skin-coloured oval, eyes, brows, mouth, a collar: what a hand is often held in front of."""
    size = len(image)
    r = rng.uniform(0.1, 0.4) * size
    x, y = rng.uniform(0, 1) * size, rng.uniform(0, 0.8) * size
    tone = skin_bytes(rng)
    dark = tuple(int(c * 0.45) for c in tone)
    hair = tuple(int(c * rng.uniform(0.1, 0.5)) for c in colour(rng))

    def oval(dx: float, dy: float, rx: float, ry: float, tint: tuple[int, ...]) -> None:
        centre, axes = (int(x + dx * r), int(y + dy * r)), (max(1, int(rx * r)), max(1, int(ry * r)))
        cv2.ellipse(image, centre, axes, 0, 0, 360, tint, -1, _LINE)

    oval(0, 2.3, 1.9, 1.2, colour(rng))
    oval(0, 1.0, 0.45, 0.6, tuple(int(c * 0.8) for c in tone))
    oval(0, -0.25, 0.95, 1.1, hair)
    oval(0, 0.05, 0.78, 1.0, tone)
    oval(0.12, 0.1, 0.6, 0.85, tuple(min(255, int(c * 1.07)) for c in tone))
    for sign in (-1, 1):
        oval(sign * 0.32, -0.1, 0.13, 0.06, (235, 230, 225))
        oval(sign * 0.32, -0.1, 0.06, 0.06, (40, 30, 30))
        oval(sign * 0.32, -0.28, 0.17, 0.04, hair)
    oval(0, 0.2, 0.1, 0.14, tuple(int(c * 0.85) for c in tone))
    oval(0, 0.55, 0.26, 0.07, (int(dark[0] * 1.3), dark[1], dark[2]))


def clothes(rng: np.random.Generator, image: Bytes) -> None:
    """A body in a shirt: a large shape with folds, sometimes striped or printed."""
    size = len(image)
    tint = colour(rng)
    x, top, half = rng.uniform(0, 1) * size, rng.uniform(0.1, 0.9) * size, rng.uniform(0.2, 0.6) * size
    outline = np.array([[-1, 3], [-0.95, 0.35], [-0.35, 0], [0.35, 0], [0.95, 0.35], [1, 3]]) * half + [
        x,
        top,
    ]
    cv2.fillPoly(image, [outline.astype(np.int32)], tint, _LINE)
    for _ in range(int(rng.integers(2, 8))):
        a = np.array([x, top]) + rng.uniform(-1, 1, 2) * half * [0.9, 0] + [0, rng.uniform(0.2, 1.5) * half]
        b = a + rng.normal(0, 0.3, 2) * half
        fold = tuple(int(np.clip(c * rng.uniform(0.7, 1.15), 0, 255)) for c in tint)
        cv2.line(image, a.astype(int).tolist(), b.astype(int).tolist(), fold, int(max(1, half * 0.05)), _LINE)


def blobs(rng: np.random.Generator, image: Bytes) -> None:
    """Soft spots of light and shadow over what is there."""
    size = len(image)
    small = rng.normal(1, rng.uniform(0.05, 0.35), (int(rng.integers(2, 6)),) * 2).astype(np.float32)
    gain = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)[..., None]
    np.copyto(image, np.clip(image * gain, 0, 255).astype(np.uint8))
