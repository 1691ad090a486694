"""Cloud Tasks on its stand-in, with a receiver and a manual clock, for the contract suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.gcp.tasks import CloudTasks
from infra.local.lanes import Source
from tests.support.cloud_tasks_server import CloudTasksServer
from tests.support.queue_bench import DispatchBench
from tests.support.receiver import Receiver

PROJECT, LOCATION = "project", "europe-west1"
SERVICE_ACCOUNT = "tasks@project.iam.gserviceaccount.com"


class CloudTasksBench(DispatchBench):
    """Satisfies TasksBench. ``prefix`` is that of the queues' names."""

    prefix = ""

    def restart(self) -> None:
        self.stop()
        super().restart()
        parent = f"projects/{PROJECT}/locations/{LOCATION}"
        self.server = CloudTasksServer(parent, self._store, self.prefix)
        self.tasks = CloudTasks(
            PROJECT,
            LOCATION,
            function_url=f"{self.receiver.url}/{{function}}",
            service_account=SERVICE_ACCOUNT,
            now=self._clock,
            queue_prefix=self.prefix,
            emulator_host=self.server.host,
        )

    def stop(self) -> None:
        if hasattr(self, "server"):
            self.tasks.close()
            self.server.stop()

    def sources(self) -> Sequence[Source]:
        return (self.server,)


@contextmanager
def cloud_tasks_bench(path: Path, receiver: Receiver) -> Iterator[CloudTasksBench]:
    bench = CloudTasksBench(path, receiver)
    try:
        yield bench
    finally:
        bench.stop()
