"""`python -m s2hand.pipeline`: the command `s2hand`, for launchers that start modules, such as torchrun."""

from s2hand.pipeline.cli import main

main()
