"""The dashboard: one instrument over one loaded model, in the browser."""
