"""GitHub's API: the port ``shared.github.GitHub`` over HTTP."""
