"""The models: configurations (no PyTorch needed) and the PyTorch modules they describe."""
