"""CSV: one row a hand, our own pixels (the first pixel's centre is 0.5), empty cells for a joint that was not found."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from s2hand.datasets.exports.hands import Run
from s2hand.datasets.keypoints import to_arrays
from s2hand.datasets.rows import SCHEMA
from s2hand.datasets.skeleton import JOINT_NAMES

PLAIN = ("image", "sha256", "width", "height", "hand", "hand_index")
BOX = ("box_x", "box_y", "box_w", "box_h")
JOINTS = tuple(f"{joint}_{what}" for joint in JOINT_NAMES for what in ("x", "y", "confidence"))
COLUMNS = pa.schema(
    [*(SCHEMA.field(name) for name in PLAIN), *(pa.field(name, pa.float32()) for name in (*BOX, *JOINTS))]
)


def write(run: Run, path: Path) -> None:
    """Write a run as one CSV file with a header."""
    with pyarrow.csv.CSVWriter(str(path), COLUMNS) as writer:
        for table in run.shards:
            writer.write_table(_columns(table))


def _columns(table: pa.Table) -> pa.Table:
    arrays = to_arrays(table)
    numbers = [*arrays.boxes.T, *arrays.keypoints.reshape(-1, len(JOINTS)).T]
    columns = [table[name] for name in PLAIN] + [pa.array(values, pa.float32(), from_pandas=True) for values in numbers]
    return pa.Table.from_arrays(columns, schema=COLUMNS)
