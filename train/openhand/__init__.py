"""The open hand: a right hand of our own in MANO's format, made by a deterministic script from published lengths.

`python -m s2hand.train.openhand --out train/assets/open_hand.npz` writes the model. `gestures` poses its fingers one
by one and needs numpy only; nothing is imported here, so that it stays so.
"""
