"""Floor 1 of osbench: what every other folder needs, written once. It imports nothing else of osbench."""
