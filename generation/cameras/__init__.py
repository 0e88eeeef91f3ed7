"""Virtual cameras: how light becomes a picture without any network.

Reading order: ``virtual`` (what a camera is), ``demosaic`` and ``develop`` (how it takes a picture), ``retake`` (a
finished picture taken again by one of them).
"""
