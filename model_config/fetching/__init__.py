"""Models and data sets from their publishers: downloaded, checked, unpacked, whole or absent."""
