"""The kinds of mesh files, by name: known before anything heavy is loaded."""

from typing import Literal, get_args

Format = Literal["glb", "obj", "ply"]
FORMATS: tuple[Format, ...] = get_args(Format)
