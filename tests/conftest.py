"""Fixtures that tests of every kind may ask for."""

from tests.support.emulators import firestore_emulator, pubsub_emulator

__all__ = ["firestore_emulator", "pubsub_emulator"]
