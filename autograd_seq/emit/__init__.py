"""From a schedule to source code that runs: one folder for each printer, and what the printers share."""
