"""Commands about files of events and topics of records."""
