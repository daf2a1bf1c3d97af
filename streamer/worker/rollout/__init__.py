"""The exchange of the model under load: which bundle serves, which one is on trial, and since when."""
