"""Data sets: one file each, chosen by `dataset=`; grid.py holds those that are a full grid of factors."""
