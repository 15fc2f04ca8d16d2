"""Training of the finder of hands on scenes that are put together anew for each step."""
