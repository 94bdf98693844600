"""An app of somebody else, installed beside the product: its `stages` are found by themselves."""
