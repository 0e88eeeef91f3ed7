"""The attribution methods of the board: a module ``my_method.py`` holds the method ``my-method``, and nothing else."""
