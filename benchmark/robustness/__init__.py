"""Robustness: a method's answers to images that were treated as online platforms treat them.

:mod:`.treatments` changes pixels, :mod:`.asking` asks fitted models again, :mod:`.surface` keeps and measures the
answers.
"""
