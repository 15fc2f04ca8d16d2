"""`python -m s2hand.train.openhand --out train/assets/open_hand.npz`: generate the open hand."""

import argparse
import sys
from pathlib import Path

from s2hand.train.openhand.build import build_open_hand, model_digest, write_model


def main() -> None:
    """Generates the model, writes it and its digest, and says so."""
    parser = argparse.ArgumentParser(prog="python -m s2hand.train.openhand", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    out = parser.parse_args().out
    if out.suffix != ".npz":
        parser.error(f"--out must end in .npz, found {out}")
    model = build_open_hand()
    write_model(out, model)
    sys.stdout.write(f"{out}: {out.stat().st_size} bytes, digest {model_digest(model)}\n")


if __name__ == "__main__":
    main()
