"""The parts of resynthesis (Bongini et al., WIFS 2025): let every candidate source show a picture again, and compare.

Who the sources are (:mod:`.candidates`), how they are made to show a picture (:mod:`.prompt`, :mod:`.inversion`,
:mod:`.folder`; :mod:`.reference` for pictures of theirs that show something else), what was made before
(:mod:`.made`), how far apart two pictures are (:mod:`.distances`), and what follows from that (:mod:`.rules`).
"""
