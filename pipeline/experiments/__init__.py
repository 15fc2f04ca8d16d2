"""The paper's experiments, made so that anybody can run them: docs/experiments.md explains them."""
