"""What the files of a fitted method are called."""

WEIGHTS, SETTINGS = "model.safetensors", "method.json"
