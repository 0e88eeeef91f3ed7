"""How the zoo of `mini-matched` is made: one set of pictures, one block code, every family a renderer of it."""
