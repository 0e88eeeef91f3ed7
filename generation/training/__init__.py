"""How the zoo was trained: ``python -m osbench.generation.training --help``."""
