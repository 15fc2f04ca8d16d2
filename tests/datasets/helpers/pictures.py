"""Pictures in each format that is read, as Pillow writes them."""

import io
from typing import Any

from PIL import Image

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpg": ("JPEG", {"quality": 95}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "tif": ("TIFF", {"compression": "tiff_lzw"}),
}


def encode(image: Image.Image, suffix: str, **options: Any) -> bytes:
    """The bytes of an image file; options are Pillow's."""
    kind, defaults = FORMATS[suffix]
    buffer = io.BytesIO()
    image.save(buffer, kind, **{**defaults, **options})
    return buffer.getvalue()
