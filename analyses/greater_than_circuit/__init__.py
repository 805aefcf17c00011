"""Greater-than in the default model."""
