"""A small finder of hands: photographs to a square around each hand, and whether it is a right or a left one."""
