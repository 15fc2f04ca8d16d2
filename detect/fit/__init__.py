"""Training of the slim network on any data set with 2D labels: `loop.fit`, with the settings of `settings`."""
