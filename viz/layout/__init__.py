"""Where everything stands: rows, columns, curves, labels. From a scene to a picture; nothing here knows of a file format."""
