"""The official files of data sets: names, checksums, downloads."""
