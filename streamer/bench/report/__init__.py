"""The benchmark's figures as tables, plots and a report."""
