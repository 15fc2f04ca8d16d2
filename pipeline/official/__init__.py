"""The numbers of the data sets' official evaluation scripts, and the files that their challenges take."""
