"""Whether files of events are fit to train on: collected once, judged without another look, and told."""
