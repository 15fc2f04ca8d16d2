"""Photograph a report: `report-light.png`, `report-dark.png`, `report-phone.png` and `report-3d.png` beside this file.

    python docs/make_report_pictures.py REPORT.html

Run it after `dvc repro`, whose last stage writes `outputs/report.html`. It drives the system's Chromium through
Playwright, without a screen: the gallery in light, the metrics in dark, the gallery
on a phone, and a hand in 3D.
"""

import io
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

SCREEN, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
WEBGL_BY_SOFTWARE = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PICTURES: tuple[tuple[str, Any, Any, str], ...] = (
    ("light", SCREEN, "light", "gallery"),
    ("dark", SCREEN, "dark", "metrics"),
    ("phone", PHONE, "light", "gallery"),
    ("3d", SCREEN, "light", "gallery"),
)
"""Name, size of the window, colours, and the section that is looked at."""
LARGEST = 300_000  # bytes of a picture in the repository


def photograph(page: Any, name: str) -> None:
    """Write what the window shows, in 256 colours where all of them are too much."""
    path, data = Path(__file__).parent / f"report-{name}.png", page.screenshot()
    if len(data) < LARGEST:
        path.write_bytes(data)
        return
    image = Image.open(io.BytesIO(data)).convert("RGB")
    colors = image.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2)
    image.quantize(palette=colors).save(path, optimize=True)


def main() -> None:
    """Open the report in every size and photograph it."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        raise SystemExit("usage: python docs/make_report_pictures.py REPORT.html, which `s2hand report` writes")
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=next(found, None), args=WEBGL_BY_SOFTWARE)
        for name, size, colors, section in PICTURES:
            page = browser.new_page(viewport=size, color_scheme=colors, reduced_motion="reduce")
            page.goto(Path(sys.argv[1]).resolve().as_uri())
            page.locator(f"#{section}").evaluate("(section) => section.scrollIntoView()")
            if name == "3d":
                page.locator(".card button").first.click()
            page.wait_for_timeout(1500)  # charts and the 3D view draw after they were asked to
            photograph(page, name)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
