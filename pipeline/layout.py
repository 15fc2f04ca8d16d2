"""Where each stage reads and writes, relative to the project's folder; dvc.yaml names the same paths."""

from pathlib import Path

PREPARED = Path("data/prepared")
KEYPOINTS = Path("data/keypoints")
PACKS = Path("data/packs")
MODEL = Path("outputs/model")
PREDICTIONS = Path("outputs/predictions")
RESULTS = Path("results")
REPORT = Path("outputs/report.html")

HISTORY = RESULTS / "history.csv"
METRICS = RESULTS / "metrics.json"
PCK = RESULTS / "pck.csv"
PER_JOINT = RESULTS / "per_joint.csv"
CONFIDENCE = RESULTS / "confidence.csv"

TRAIN_PACK = PACKS / "train.h5"
EVAL_PACK = PACKS / "eval.h5"
