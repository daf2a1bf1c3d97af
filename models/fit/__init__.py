"""Fitting a risk model: batches, losses, calibration, level."""
