"""What a policy and a model would have achieved: alerts replayed over files of events and judged by them."""
