"""What everything is made of: errors, names, axes, the record of an operation, and nodes."""
