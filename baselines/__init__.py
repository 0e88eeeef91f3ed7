"""Floor 4 of osbench: the attribution methods (``methods/``, one file each) and the parts that they are built from."""
