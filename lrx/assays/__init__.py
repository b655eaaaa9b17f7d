"""Assays: one file each, chosen by `assay=`."""
