"""What is decided, as a pure function: states and events in, states and decisions out.

No clock, no I/O, no Kafka, no ONNX Runtime: whoever calls passes the time and the model in, so that a day of
traffic with crashes is simulated in a second.
"""
