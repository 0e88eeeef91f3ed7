"""osbench: the open benchmark for open-set synthetic image source attribution."""
