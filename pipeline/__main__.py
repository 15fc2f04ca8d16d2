"""Where the command `s2hand` begins; also as `python -m s2hand.pipeline`, for launchers that start modules."""

from s2hand.detect.interrupts import interruptible


def main() -> None:
    """Run the command `s2hand`."""
    with interruptible():
        from s2hand.pipeline.cli import app

        app()


if __name__ == "__main__":
    main()
