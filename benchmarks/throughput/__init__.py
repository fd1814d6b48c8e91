"""Throughput: queries a second of one core, ours and others', on the same records of the same Kafka."""
