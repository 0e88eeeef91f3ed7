"""Pre-training of embedding networks on camera models (paper 1, sections 3.1 and 4.2).

Paper 1 pre-trains on 70 camera models of the Camera Model Identification Database, which is no public download. Two
things stand in for it:

- *photographs* (``photographs.py``): any folder of camera photographs that the user has;
- *virtual cameras* (:mod:`osbench.generation.cameras`): seeded, simulated camera models that photograph given scenes.

**Virtual cameras are a proxy**: a stand-in for the Camera Model Identification Database, never the paper's own arm.
Every weight file that was trained on them says so.

Reading order: ``scenes`` (what virtual cameras photograph), ``photographs`` (the real thing), ``sources`` (crops of
either), ``bank`` (crops on disk), ``pretraining`` (the training), ``pretrained`` (the weight files).
"""
