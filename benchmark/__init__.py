"""Floor 3 of osbench: who is known, how a method is asked, and how its answers are measured."""
