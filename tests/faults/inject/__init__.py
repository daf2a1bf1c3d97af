"""The faults, one family a file: each strikes from outside and says what it held up, and since when."""
