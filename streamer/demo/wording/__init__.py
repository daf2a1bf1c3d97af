"""Alerts, outcomes and judgements in plain words. Pure: what to say follows from the arguments alone."""
