"""What enrolling and discovering are worth, measured on the unseen generators of every fold of a protocol.

``python -m osbench.benchmark.new_sources METHOD`` fits the method on every fold, enrolls each unseen generator from a
few of its test images, asks about other images before and after, and groups the rejected ones.
"""
