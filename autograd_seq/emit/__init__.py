"""From a schedule to source that runs, a language a file."""
