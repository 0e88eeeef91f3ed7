"""What is left of a method's answers when images are treated as platforms treat them.

:mod:`.treatments` changes pixels, :mod:`.asking` asks fitted models again, :mod:`.surface` keeps and measures the
answers.
"""
