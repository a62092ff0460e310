"""streamcheck: a deterministic streaming drift detector for machine-learning services on Kafka."""

__version__ = "0.1.0"
