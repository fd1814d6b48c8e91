"""One file a group of commands. What is heavy is imported inside the command, so that `--help` is quick."""
