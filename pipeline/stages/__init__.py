"""One file per stage of dvc.yaml: read the parameters, call the parts, write the outputs."""
