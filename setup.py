"""Map the top-level folders onto the `s2hand` namespace: detect/ is imported as s2hand.detect."""

from setuptools import find_packages, setup

FOLDERS = ("pipeline", "train", "detect", "datasets")
PACKAGES = find_packages(include=[*FOLDERS, *(f"{folder}.*" for folder in FOLDERS)])

setup(
    package_dir={f"s2hand.{folder}": folder for folder in FOLDERS},
    packages=[f"s2hand.{package}" for package in PACKAGES],
    package_data={
        "s2hand.detect": ["assets/*"],
        "s2hand.train": ["assets/*"],
        "s2hand.pipeline.report": ["templates/*"],
    },
)
