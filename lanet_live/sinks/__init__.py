"""Where results go: tables, pictures, videos."""
