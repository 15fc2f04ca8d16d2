"""Write a synthetic data set from the shell: `python -m s2hand.pipeline.synthetic --out DIR --train 2000`."""

import argparse
from pathlib import Path

from s2hand.pipeline.synthetic import SyntheticSettings, make_dataset

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    for name in ("train", "evaluation", "size", "seed", "workers", "versions"):
        field = SyntheticSettings.model_fields["image_size" if name == "size" else name]
        parser.add_argument(f"--{name}", type=int, default=field.default, help=field.description)
    options = vars(parser.parse_args())
    out, options["image_size"] = options.pop("out"), options.pop("size")
    make_dataset(SyntheticSettings(**options), out)
