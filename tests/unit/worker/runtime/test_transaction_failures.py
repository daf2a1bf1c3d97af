"""Why a transaction failed, as the worker that ends over it says."""

from __future__ import annotations

import pytest
from aiokafka.errors import InvalidTxnState, KafkaError, ProducerFenced

from streamer.worker.runtime.transactions import why_failed


@pytest.mark.parametrize("error", [ProducerFenced(), InvalidTxnState(), KafkaError()])
def test_one_that_was_open_for_too_long_names_the_setting_first(error: Exception) -> None:
    words = why_failed(error, 16.2, 15.0)
    assert words.startswith("the transaction was open for 16 s")
    assert words.index("STREAMER_TRANSACTION_TIMEOUT_S") < words.index("another worker")


def test_one_that_was_not_is_fenced_by_another_worker_or_failed() -> None:
    assert why_failed(ProducerFenced(), 1.0, 15.0) == "fenced: another worker has taken the partition"
    assert why_failed(KafkaError(), 1.0, 15.0) == "transaction failed"
