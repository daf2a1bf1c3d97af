"""The files a broker starts from: ``server.properties`` and the configuration of its log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HOST = "127.0.0.1"


def broker_settings(log_directory: Path, port: int, controller_port: int) -> dict[str, object]:
    """Kafka's settings: one node that is broker and controller, on loopback only, for one machine.

    Topics are never created by accident (``auto.create.topics.enable``), groups form without delay,
    and records are kept whatever their timestamps say, unless a topic decides otherwise.
    """
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": log_directory,
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        "log.retention.ms": -1,
        # After SIGKILL the node waits for its former self's session to run out; 9 s by default.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "offsets.topic.num.partitions": 5,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 5,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
    }


def log_settings(log_file: Path) -> dict[str, object]:
    """Settings of Log4j 2: everything from INFO up into ``log_file``, at most three files of 10 MB."""
    return {
        "appender.file.type": "RollingFile",
        "appender.file.name": "file",
        "appender.file.fileName": log_file,
        "appender.file.filePattern": f"{log_file}.%i",
        "appender.file.layout.type": "PatternLayout",
        "appender.file.layout.pattern": "%d{ISO8601} %p %m (%c{1})%n",
        "appender.file.policies.type": "Policies",
        "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
        "appender.file.policies.size.size": "10MB",
        "appender.file.strategy.type": "DefaultRolloverStrategy",
        "appender.file.strategy.max": 2,
        "rootLogger.level": "info",
        "rootLogger.appenderRef.file.ref": "file",
    }


def write_properties(file: Path, settings: Mapping[str, object]) -> None:
    """Write a Java properties file."""
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
