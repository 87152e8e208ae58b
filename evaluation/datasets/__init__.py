"""What models are asked about and judged by: labelled data on disk, one module a format."""
