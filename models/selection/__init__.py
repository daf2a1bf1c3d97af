"""What validation decides: columns, variants, drift, band edges."""
