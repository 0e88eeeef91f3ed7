"""Floor 1 of osbench: what every floor above needs and none should write twice; imports nothing of ours."""
