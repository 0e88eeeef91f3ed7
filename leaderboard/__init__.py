"""The board: ranking of runs, the page that shows it, and the submission of runs to a shared place."""
