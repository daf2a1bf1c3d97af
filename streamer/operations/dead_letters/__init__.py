"""Dead letters as an operator works with them: by cause, one by one, sent again."""
