"""The dashboard: a browser interface to one loaded model."""
