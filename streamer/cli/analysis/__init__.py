"""Commands that train and judge models."""
