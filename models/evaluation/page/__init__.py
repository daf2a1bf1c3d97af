"""An evaluation as a page of HTML."""
