"""Reports: one HTML page of a run or of a sweep, from result files and run folders alone."""
