"""Official files of data sets: names, checksums, downloads."""
