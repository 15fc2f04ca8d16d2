"""Where the command `detect` begins."""

from s2hand.detect.interrupts import interruptible


def main() -> None:
    """Run the command `detect`."""
    with interruptible():
        from s2hand.detect.cli import app

        app()


if __name__ == "__main__":
    main()
