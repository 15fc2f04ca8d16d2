"""The report: a run as one HTML file that is opened from disk, without a network.

`project` says where a run's files lie, each `*_section` turns some of them into a `Section`, and `page` writes
all sections as one file.
"""
