"""Write a synthetic data set from the shell: `python -m s2hand.pipeline.synthetic --out DIR train=2000 image_size=128`."""

import argparse
import time
from pathlib import Path

from s2hand.pipeline.synthetic import SyntheticSettings, make_dataset

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    for name, field in SyntheticSettings.model_fields.items():
        if name != "coverage":
            kind = {"bool": lambda text: text.lower() in ("1", "true", "yes")}.get(
                getattr(field.annotation, "__name__", ""), field.annotation
            )
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name, type=kind, default=field.default)
    options = vars(parser.parse_args())
    out, start = options.pop("out"), time.monotonic()
    print(make_dataset(SyntheticSettings(**options), out), f"{time.monotonic() - start:.1f} s")  # noqa: T201
