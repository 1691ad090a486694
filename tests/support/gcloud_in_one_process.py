"""Runs many gcloud commands in one process of gcloud's own Python: it takes seconds to start.

Reads a JSON list of commands from standard input, writes a JSON list of what was said and how each
ended. Its argument is the folder of gcloud. ``tests/support/gcloud.py`` runs it.
"""

import json
import os
import sys
import tempfile

root = sys.argv[1]
sys.path[:0] = [f"{root}/lib", f"{root}/lib/third_party"]

# gcloud keeps the stream that it finds when it is loaded, so the file stands in for it before.
said = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the process
answers = os.fdopen(os.dup(1), "w")
for stream in (1, 2):
    os.dup2(said.fileno(), stream)

from googlecloudsdk import gcloud_main  # type: ignore[import-not-found]  # noqa: E402

cli = gcloud_main.CreateCLI([])
results = []
for command in json.load(sys.stdin):
    said.seek(0)
    said.truncate()
    ended = ""
    try:
        cli.Execute(command[1:])
    except SystemExit as error:
        ended = str(error.code)
    sys.stdout.flush()
    sys.stderr.flush()
    said.seek(0)
    results.append({"said": said.read().decode(), "ended": ended})
answers.write(json.dumps(results))
answers.close()
