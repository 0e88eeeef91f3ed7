"""What a fitted method looks at: it is asked about pictures in which one cue was changed and the others were not.

::

    report = cue_report(Run.open(folder), Dataset.open("data"))
    report.conflicts          # low frequencies of one picture, high frequencies of another: whose name is given?
    report.treatments         # turned, mirrored, grey: is the name still right?
    report.weights            # weights that were not trained on
    report.noise              # the generator's injected noise drawn anew, or off
"""

from .report import CueReport, cue_report, cue_text

__all__ = ["CueReport", "cue_report", "cue_text"]
