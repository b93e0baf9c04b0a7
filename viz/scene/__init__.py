"""What a picture shows: items and arrows before they have places, labels, columns; and the picture once all has a place."""
