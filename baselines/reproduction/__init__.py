"""A paper's tables, made again on the suite at hand and set beside the printed numbers.

A paper is one YAML file in this folder with what it prints; ``table2.py`` and ``table3.py`` know how such a table is
made from runs, ``report.py`` writes ``RESULTS.md`` and ``results.json``.
"""
