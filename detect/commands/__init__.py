"""The sub-commands of `detect`, a module each; `detect.cli` puts them together. Imports wait inside them."""
