"""Floor 1 of osbench: who makes the images, and how they are stored."""
