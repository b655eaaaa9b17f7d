"""Plot style and parts that the plots of assays share."""
