"""The stages that DVC runs, their typed parameters, synthetic photographs, evaluation and the command line."""
