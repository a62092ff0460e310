"""Kafka: events in, alerts, strays and the journal out."""

from streamcheck.adapters.kafka.client import BrokerUnavailable, ForeignMarker
from streamcheck.adapters.kafka.journal import KafkaJournal
from streamcheck.adapters.kafka.sink import KafkaAlertSink
from streamcheck.adapters.kafka.source import KafkaSource
from streamcheck.adapters.kafka.strays import KafkaStraySink

__all__ = ["BrokerUnavailable", "ForeignMarker", "KafkaAlertSink", "KafkaJournal", "KafkaSource", "KafkaStraySink"]
