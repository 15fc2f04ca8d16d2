"""The page: sections of facts, tables, charts, pictures and templates, written as one HTML file.

Every block names the files that it was made from, and every picture says in words what it shows.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs

from s2hand.datasets.files import replacing

STYLES = ("page.css", "drawn_hand.css", "gallery.css", "comparison.css")
SCRIPTS = ("page.js", "gallery.js")


@dataclass(frozen=True, kw_only=True)
class Block:
    """What all blocks have: a heading, the files that it was made from, and a remark below it."""

    title: str
    sources: tuple[str, ...]
    note: str = ""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError(f"block {self.title!r}: expected at least one source, found none")

    @property
    def kind(self) -> str:
        """The name of the macro in `blocks.html.j2` that writes it."""
        return type(self).__name__.lower()


@dataclass(frozen=True, kw_only=True)
class Facts(Block):
    """Names and values, one a line."""

    rows: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Table(Block):
    """Rows of cells, one per column, already formatted. `strong` are the numbers of the rows that stand out."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    strong: frozenset[int] = frozenset()

    @property
    def kinds(self) -> Sequence[str]:
        """Of each column `words`, where a cell begins with a letter, or `number`, which stand below each other."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.columns)
        return ["words" if any(cell[:1].isalpha() for cell in column) else "number" for column in columns]


@dataclass(frozen=True, kw_only=True)
class Chart(Block):
    """A figure for Plotly, as `charts.py` makes it; `alt` says what it shows. `tall`: with room for a long legend."""

    figure: Mapping[str, Any]
    alt: str
    tall: bool = False


@dataclass(frozen=True)
class Picture:
    """One of `Pictures`: an address that holds the picture itself, what it shows, and a caption."""

    uri: str
    alt: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Pictures(Block):
    """Pictures side by side."""

    pictures: Sequence[Picture]


@dataclass(frozen=True, kw_only=True)
class Html(Block):
    """What a template of its own makes of `values`: a drawing, the gallery."""

    template: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its contents; `lead` is a sentence below the heading."""

    id: str
    title: str
    lead: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """All of it."""

    title: str
    subtitle: str
    sections: Sequence[Section]


def render_page(page: Page) -> str:
    """Return the page as HTML that asks nothing of any network: styles, scripts and Plotly are inside."""
    environment = Environment(
        loader=PackageLoader("s2hand.pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["include_raw"] = lambda names: Markup("\n").join(_raw(environment, name) for name in names)
    plotly = Markup(get_plotlyjs().replace("</script", "<\\/script"))
    template = environment.get_template("page.html.j2")
    return template.render(page=page, styles=STYLES, scripts=SCRIPTS, plotly=plotly)


def write_page(page: Page, path: Path) -> int:
    """Write the page to `path`, whole or not at all; return its size in bytes."""
    content = render_page(page).encode("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return len(content)


def picture_uri(rgb: NDArray[np.uint8], quality: int = 85) -> str:
    """Return an RGB picture [H, W, 3] as a `data:` URI of a JPEG."""
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _raw(environment: Environment, name: str) -> Markup:
    """Return the text of one of the package's own files, which needs no escaping."""
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])
