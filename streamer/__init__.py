"""The streaming worker, and every command around it.

``core`` decides, and knows neither clock nor I/O; ``inference`` asks the model; ``worker`` brings both to
Kafka in transactions. ``operations``, ``analysis``, ``demo`` and ``bench`` stand above, ``cli`` on top of
all.
"""
