"""Training and judging of models, in torch; nothing of it is needed at run time.

Tokens, aggregates and features are those of ``streamer.core``, so that training and serving cannot differ.
"""
