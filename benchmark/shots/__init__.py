"""Few-shot attribution: how well methods do with n training images of every generator.

:mod:`.curves` holds lines and crossings, :mod:`.lines` computes them from runs, :mod:`.text` and :mod:`.drawing` show
them.
"""
